"""The ``xmic`` command: its subcommands and nothing else."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import click
import typer

from xmic_cli.commands import prepare
from xmic_cli.errors import exit_code_of
from xmic_cli.options import WorkspaceOption

app = typer.Typer(
    name="xmic",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Egocentric action generalisation: adapt a frozen vision-language model to first-person video "
    "(X-MIC and the methods it is compared with) and measure how verbs and nouns carry over.",
    epilog="A run is a chain: prepare, decode, detect-hands, embed, train, evaluate, report. "
    "Each command goes on where it was stopped.",
)

app.add_typer(prepare.app, name="prepare")


def _print_version(asked: bool) -> None:
    if asked:
        try:
            typer.echo(f"xmic {version('xmic')}")
        except PackageNotFoundError:
            typer.echo("xmic (not installed)")
        raise typer.Exit


@app.callback()
def root(
    workspace: WorkspaceOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that may stand before any command."""


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""

    def call() -> int | None:
        try:
            return typer.main.get_command(app).main(arguments, prog_name="xmic", standalone_mode=False)
        except click.exceptions.Exit as exit:
            return exit.exit_code
        except click.Abort:
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            error.show()
            return error.exit_code

    return exit_code_of(call)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
