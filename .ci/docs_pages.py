"""Hook of MkDocs: put the pages of the repository that lie outside docs/ into the site, and keep links right.

Pages link to each other as on disk, so that they can be read without the site too. README.md is the first page. Every
linked file of the repository becomes part of the site. A page that loads something from another host fails the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
FIRST = "README.md"
_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?(https?:)?//[^>]*>")


def _on_site(path: str) -> str:
    """Path in the site of a file of the repository."""
    if path == FIRST:
        return "index.md"
    return path.removeprefix("docs/")


def _in_repository(page: str) -> str:
    """File of the repository that a page of the site is."""
    if page == "index.md":
        return FIRST
    return f"docs/{page}" if (ROOT / "docs" / page).is_file() else page


def _linked(page: str, text: str) -> list[str]:
    """Files of the repository that a page links to."""
    found = []
    for _, link, _ in _LINK.findall(text):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
        if ":" not in link and (ROOT / path).is_file():
            found.append(path)
    return found


def _named(nav: Any) -> set[str]:
    """Pages that a part of the navigation names."""
    parts = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return {nav} if isinstance(nav, str) else {page for part in parts for page in _named(part)}


def on_config(config: Any) -> Any:
    """Put pages that the navigation does not name at its end, under More."""
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    left = sorted(pages - _named(config.nav))
    config.nav += [{"More": left}] if left else []
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add what README.md and the pages link to, and what those link to."""
    todo = [FIRST, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    seen = set(todo)
    files.append(File.generated(config, _on_site(FIRST), abs_src_path=str(ROOT / FIRST)))
    while todo:
        page = todo.pop()
        for path in _linked(page, (ROOT / page).read_text("utf-8")) if page.endswith(".md") else ():
            if path in seen:
                continue
            seen.add(path)
            todo.append(path)
            if not path.startswith("docs/"):
                files.append(File.generated(config, _on_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Make the links of a page relative to its place in the site."""
    source = _in_repository(page.file.src_uri)
    here = posixpath.dirname(page.file.src_uri)

    def on_site(match: re.Match[str]) -> str:
        before, link, after = match.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if ":" in link or not (ROOT / path).is_file():
            return match[0]
        return before + posixpath.relpath(_on_site(path), here or ".") + after

    return _LINK.sub(on_site, markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that loads something from another host.

    Raises:
        PluginError: it does; names page and tag.
    """
    loaded = _LOADED.search(output)
    if loaded:
        raise PluginError(f"{page.file.src_uri}: loads {loaded[0]}; a page of the site loads nothing from elsewhere.")
    return output
