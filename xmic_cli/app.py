"""Assemble the ``xmic`` command from its subcommands."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Annotated, Any

import typer

from xmic_cli.commands import hands, pocket, prepare
from xmic_cli.commands.check_plugin import check_plugin
from xmic_cli.commands.classes import classes
from xmic_cli.commands.decode import decode
from xmic_cli.commands.demo import demo
from xmic_cli.commands.detect_hands import detect_hands
from xmic_cli.commands.doctor import doctor
from xmic_cli.commands.embed import embed
from xmic_cli.commands.evaluate import evaluate
from xmic_cli.commands.export import export
from xmic_cli.commands.export_features import export_features
from xmic_cli.commands.fetch import fetch
from xmic_cli.commands.import_features import import_features
from xmic_cli.commands.leaderboard import leaderboard
from xmic_cli.commands.look import look
from xmic_cli.commands.methods import methods
from xmic_cli.commands.predict import predict
from xmic_cli.commands.report import report
from xmic_cli.commands.run import run as run_chain
from xmic_cli.commands.score import score
from xmic_cli.commands.status import status
from xmic_cli.commands.train import train
from xmic_cli.errors import INTERRUPTED, exit_code_of
from xmic_cli.once import refuse_repeated
from xmic_cli.options import WorkspaceOption


def make_app(text: str, epilog: str | None = None) -> typer.Typer:
    """Make an app with a help text.

    Errors reach the caller of the app; Typer does not print them.
    """
    return typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=text,
        epilog=epilog,
    )


app = make_app(
    "Egocentric action generalisation: adapt a frozen vision-language model to first-person video "
    "(X-MIC and the methods it is compared with) and measure how verbs and nouns carry over.",
    "A run is a chain: prepare, decode, detect-hands, embed, train, evaluate, report. "
    "Each command goes on where it was stopped.",
)

app.add_typer(prepare.app, name="prepare")
app.command("classes")(classes)
app.command("decode")(decode)
app.command("detect-hands")(detect_hands)
app.command("look")(look)
app.command("embed")(embed)
app.command("fetch")(fetch)
app.command("import-features")(import_features)
app.command("export-features")(export_features)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("score")(score)
app.command("leaderboard")(leaderboard)
app.command("report")(report)
app.command("export")(export)
app.command("methods")(methods)
app.command("check-plugin")(check_plugin)
app.command("predict")(predict)
app.command("run")(run_chain)
app.add_typer(hands.app, name="hands")
app.add_typer(pocket.app, name="pocket")
app.command("demo")(demo)
app.command("status")(status)
app.command("doctor")(doctor)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

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
    """Read the options that come before any command."""


def _fill_lines(group: typer.Typer) -> None:
    """Remove line breaks within paragraphs of help, and escape brackets.

    Typer keeps the line breaks of all paragraphs but the first, and takes ``[embed]`` for the name of a colour.
    """
    for command in group.registered_commands:
        text = inspect.cleandoc((command.callback and command.callback.__doc__) or "")
        filled = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
        command.help = re.sub(r"\[(?=[a-z#/@])", r"\\[", filled)
    for child in group.registered_groups:
        if child.typer_instance is not None:
            _fill_lines(child.typer_instance)


# ClickException, BadParameter's base: newer typers carry their own copy of click, older ones import it.
_ClickError: Any = typer.BadParameter.mro()[2]


def _name_setting(error: Any) -> None:
    """Name the setting of a training that was given as an option.

    The other options that it suggests by their letters are left out.
    """
    option, context = getattr(error, "option_name", None), error.ctx
    if option is None or context is None or context.info_name != "train":
        return
    from pipelines.methods.recipe import Recipe
    from pipelines.methods.setting_names import setting_meant

    setting = setting_meant(option.lstrip("-"), Recipe.__dataclass_fields__)
    if setting is not None:
        error.possibilities = None
        error.message = f"No such option: {option}. It is a setting of the method: --set {setting}=VALUE."


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    return run_app(app, "xmic", arguments)


def run_app(app: typer.Typer, name: str, arguments: list[str] | None = None) -> int:
    """Run a command line of an app and return its exit code."""
    _fill_lines(app)

    def call() -> int | None:
        try:
            command = typer.main.get_command(app)
            refuse_repeated(command)
            code = command.main(arguments, prog_name=name, standalone_mode=False)
        except typer.Exit as exit:
            code = exit.exit_code
        except typer.Abort:
            code = INTERRUPTED
        except _ClickError as error:
            _name_setting(error)
            error.show()
            return error.exit_code
        if code == INTERRUPTED:  # what typer makes of Ctrl-C and SIGTERM
            raise KeyboardInterrupt
        return code

    return exit_code_of(call)


def main() -> None:
    """Run the command line and exit.

    :mod:`xmic_cli.__main__` calls it after it has found our packages.
    """
    sys.exit(run())
