from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from xmic_cli.spread import spread

Size = Annotated[int, typer.Option(help="How large.")]


@dataclass(frozen=True)
class _Shared:
    size: Size = 3
    loud: Annotated[bool, typer.Option("--loud")] = False


@spread("shared", _Shared)
def _command(name: str, again: bool = False, *, shared: _Shared) -> None:
    """What it does."""
    typer.echo(f"{name} {again} {shared}")


def test_a_command_takes_the_fields_as_options_after_its_own() -> None:
    assert list(inspect.signature(_command).parameters) == ["name", "again", "size", "loud"]
    app = typer.Typer()
    app.command()(_command)
    runner = CliRunner()
    assert runner.invoke(app, ["x"]).output == "x False _Shared(size=3, loud=False)\n"
    assert runner.invoke(app, ["x", "--loud", "--size", "4"]).output == "x False _Shared(size=4, loud=True)\n"
    helped = runner.invoke(app, ["--help"]).output
    assert "What it does." in helped
    assert "How large." in helped
