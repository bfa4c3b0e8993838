from __future__ import annotations

import jinja2
import pytest

from pipelines.report.html_templates import html_environment


def test_values_are_escaped_and_a_missing_one_is_an_error() -> None:
    environment = html_environment("pipelines.report")
    assert environment.from_string("<b>{{ name }}</b>").render(name="<i>&") == "<b>&lt;i&gt;&amp;</b>"
    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ name }}").render()


def test_templates_of_every_package_are_found() -> None:
    environment = html_environment("pipelines.look", "pipelines.report")
    assert {"look.html.j2", "gallery.html.j2"} <= set(environment.list_templates())
