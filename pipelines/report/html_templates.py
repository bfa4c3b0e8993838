"""Load HTML templates; everything that comes from a file is escaped."""

from __future__ import annotations

import jinja2


def html_environment(*packages: str) -> jinja2.Environment:
    """Load the HTML templates of packages.

    Args:
        *packages: dotted names; of templates with the same name, that of the first package counts.

    Raises:
        jinja2.UndefinedError: when a template is rendered that uses a variable without a value.
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in packages]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
