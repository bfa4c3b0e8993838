from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from annotated_types import Ge, Gt, Le
from typer.testing import CliRunner

from data_manifests.errors import UsageError
from pipelines.engine.options import Argument, Doc, FileOnly, Flag, Group, Metavar, Options, Pairs
from xmic_cli.spread import spread

Size = Annotated[int, typer.Option(help="How large.")]


@dataclass(frozen=True)
class _Shared:
    size: Size = 3
    loud: Annotated[bool, typer.Option("--loud")] = False


@dataclass(frozen=True, kw_only=True)
class _Sieve(Options):
    grain: Annotated[Literal["fine", "coarse"], Doc("How it grinds."), Group("Grinding")] = "fine"
    turns: Annotated[int, Ge(1), Le(9), Doc("How often.")]
    pause_s: Annotated[float | None, Gt(0), Doc("Rest.")] = None
    sift: Annotated[bool, Doc("Sift it.")] = True
    wet: Annotated[bool, Doc("Wet it.")] = False
    of: Annotated[tuple[Path, ...], Argument(), Metavar("SACK..."), Doc("What is ground.")] = ()
    spice: Annotated[Mapping[str, Any], Flag("--set"), Pairs("KEY=VALUE", "salt=1", typed=True), Doc("Spices.")] = (
        field(default_factory=dict)
    )
    cellar: Annotated[str | None, FileOnly("the command has none")] = None


@spread
def _command(name: str, again: bool = False, *, shared: _Shared) -> None:
    """What it does."""
    typer.echo(f"{name} {again} {shared}")


@spread
def _grind(context: typer.Context, *, sieve: _Sieve, shared: _Shared) -> None:
    typer.echo(repr(sieve))


@spread
def _one(grain: Annotated[Literal["fine", "coarse"], Doc("How it grinds.")] = "fine") -> None:
    typer.echo(grain)


def _invoke(command: Any, *arguments: str) -> Any:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_a_command_takes_the_fields_as_options_in_the_place_of_the_parameter() -> None:
    assert list(inspect.signature(_command).parameters) == ["name", "again", "size", "loud"]
    assert _invoke(_command, "x").output == "x False _Shared(size=3, loud=False)\n"
    assert _invoke(_command, "x", "--loud", "--size", "4").output == "x False _Shared(size=4, loud=True)\n"
    helped = _invoke(_command, "--help").output
    assert "What it does." in helped
    assert "How large." in helped


def test_a_dataclass_of_options_comes_back_with_its_own_types() -> None:
    line = [
        "--turns",
        "2",
        "a",
        "b",
        "--grain",
        "coarse",
        "--no-sift",
        "--wet",
        "--set",
        "salt=2",
        "--set",
        "herb=dill",
    ]
    expected = _Sieve(
        grain="coarse", turns=2, sift=False, wet=True, of=(Path("a"), Path("b")), spice={"salt": 2, "herb": "dill"}
    )
    assert _invoke(_grind, *line).output == f"{expected!r}\n"
    assert _invoke(_grind, "--turns", "2").output == f"{_Sieve(turns=2)!r}\n"


def test_help_shows_choices_bounds_panels_and_no_key_of_the_file_alone() -> None:
    helped = _invoke(_grind, "--help").output
    for text in (
        "[fine|coarse]",
        "1<=x<=9",
        "Grinding",
        "SACK...",
        "KEY=VALUE",
        "--sift",
        "--no-sift",
        "[default: fine]",
    ):
        assert text in helped, text
    assert "--no-wet" not in helped
    assert "cellar" not in helped


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--grain", "dust"], "--grain dust: expected fine or coarse"),
        (["--pause-s", "0"], "--pause-s 0.0: expected more than 0"),
        (["--pause-s", "nan"], "--pause-s nan: expected more than 0"),
        (["--set", "salt"], "--set salt: expected KEY=VALUE, for instance salt=1"),
    ],
)
def test_a_value_that_is_not_taken_is_refused_with_what_is(arguments: list[str], text: str) -> None:
    result = _invoke(_grind, "--turns", "2", *arguments)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == text


def test_a_single_parameter_may_have_the_same_annotations() -> None:
    assert _invoke(_one, "--grain", "coarse").output == "coarse\n"
    assert "[fine|coarse]" in _invoke(_one, "--help").output
    assert str(_invoke(_one, "--grain", "dust").exception) == "--grain dust: expected fine or coarse"


def test_a_whole_number_out_of_bounds_is_refused_by_the_command_line_itself() -> None:
    result = _invoke(_grind, "--turns", "10")
    assert result.exit_code == 2
    assert "--turns" in result.output
