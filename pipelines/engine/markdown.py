"""Fill Markdown templates with escaped text and code spans.

The text comes from files, and no part of it may act as markup.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import jinja2


class _Raw(str):
    """Markdown that is already escaped."""


def render_template(package: str, name: str, **values: Any) -> str:
    """Fill a Markdown template of a package with escaped values.

    The filter ``code`` makes a code span.

    Args:
        package: dotted name of the package.
        name: file name of the template in the package's ``templates`` folder.
        **values: variables of the template.

    Raises:
        jinja2.UndefinedError: the template uses a variable without a value.
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
    """Escape a text, so that no Markdown reader takes it for markup.

    Punctuation gets a backslash; <, > and & become entities; line breaks become spaces.
    """
    if isinstance(value, _Raw):
        return value
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(value))
    text = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_code(value: object) -> str:
    """Make a code span that its content cannot end."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(value)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return _Raw(f"{fence}{space}{text}{space}{fence}")
