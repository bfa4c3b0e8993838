"""Text and code spans in Markdown that come from files: nothing in them is taken for markup."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import jinja2


class _Raw(str):
    """Markdown that is already escaped."""


def render_template(package: str, name: str, **values: Any) -> str:
    """Fill a Markdown template ``templates/<name>`` of a package; everything that is filled in is escaped.

    Args:
        package: dotted name.
        name: file name below its ``templates`` folder. The filter ``code`` makes a code span.
        **values: what the template names.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=markdown_text,
    )
    environment.filters["code"] = markdown_code
    source = files(package).joinpath("templates").joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(source).render(**values)


def markdown_text(value: object) -> str:
    """Text that no Markdown reader takes for markup: backslashes before punctuation, entities for <, > and &."""
    if isinstance(value, _Raw):
        return value
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(value))
    text = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_code(value: object) -> str:
    """A code span that its content can not end."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(value)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return _Raw(f"{fence}{space}{text}{space}{fence}")
