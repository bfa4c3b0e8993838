"""Assemble the ``xmic`` command from its subcommands."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Annotated, Any

import typer
import typer.core

from xmic_cli import console
from xmic_cli.asked import with_asked_options, words_of
from xmic_cli.commands import hands, pocket, prepare, runs
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
from xmic_cli.commands.gc import gc
from xmic_cli.commands.import_features import import_features
from xmic_cli.commands.leaderboard import leaderboard
from xmic_cli.commands.look import look
from xmic_cli.commands.methods import methods
from xmic_cli.commands.predict import predict
from xmic_cli.commands.report import report
from xmic_cli.commands.run import run as run_chain
from xmic_cli.commands.score import score
from xmic_cli.commands.slurm import slurm
from xmic_cli.commands.status import status
from xmic_cli.commands.train import train
from xmic_cli.errors import INTERRUPTED, answer_error, exit_code_of
from xmic_cli.once import refuse_repeated
from xmic_cli.options import WorkspaceOption


class InOrder(typer.core.TyperGroup):
    """Group whose help lists commands by panel.

    Typer lists groups of commands, such as prepare, after all commands.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names in the order of the panels, groups before commands."""
        panels = (TRY, CHAIN, USE, EXCHANGE, INSPECT)
        place = {name: panels.index(panel) for name in self.commands if (panel := self._panel(name)) in panels}
        first = ("prepare", "status", "runs")
        lead = {name: -position for position, name in enumerate(reversed(first), 1)}
        return sorted(self.commands, key=lambda name: (place.get(name, len(panels)), lead.get(name, 0)))

    def _panel(self, name: str) -> Any:
        return getattr(self.commands[name], "rich_help_panel", None)


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
        cls=InOrder,
    )


app = make_app(
    "Egocentric action generalisation: adapt a frozen vision-language model to first-person video "
    "(X-MIC and the methods it is compared with) and measure how verbs and nouns carry over.",
    "A run is a chain: prepare, decode, detect-hands, embed, train, evaluate, report. "
    "Each command goes on where it was stopped.",
)

TRY, CHAIN, USE, EXCHANGE, INSPECT = "Try it", "The chain", "Use a run", "Exchange", "Inspect"
"""Panels of ``xmic --help``, in this order."""

app.command("demo", rich_help_panel=TRY)(demo)
app.add_typer(pocket.app, name="pocket", rich_help_panel=TRY)
app.command("doctor", rich_help_panel=TRY)(doctor)

app.add_typer(prepare.app, name="prepare", rich_help_panel=CHAIN)
app.command("decode", rich_help_panel=CHAIN)(decode)
app.command("detect-hands", rich_help_panel=CHAIN)(detect_hands)
app.command("embed", rich_help_panel=CHAIN)(embed)
app.command("train", rich_help_panel=CHAIN)(train)
app.command("evaluate", rich_help_panel=CHAIN)(evaluate)
app.command("report", rich_help_panel=CHAIN)(report)
app.command("run", rich_help_panel=CHAIN)(run_chain)
app.command("slurm", rich_help_panel=CHAIN)(slurm)

app.command("predict", rich_help_panel=USE)(predict)
app.command("export", rich_help_panel=USE)(export)
app.command("fetch", rich_help_panel=USE)(fetch)

app.command("import-features", rich_help_panel=EXCHANGE)(import_features)
app.command("export-features", rich_help_panel=EXCHANGE)(export_features)
app.command("score", rich_help_panel=EXCHANGE)(score)
app.command("leaderboard", rich_help_panel=EXCHANGE)(leaderboard)
app.add_typer(hands.app, name="hands", rich_help_panel=EXCHANGE)

app.command("look", rich_help_panel=INSPECT)(look)
app.command("status", rich_help_panel=INSPECT)(status)
app.add_typer(runs.app, name="runs", rich_help_panel=INSPECT)
app.command("gc", rich_help_panel=INSPECT)(gc)
app.command("methods", rich_help_panel=INSPECT)(methods)
app.command("classes", rich_help_panel=INSPECT)(classes)
app.command("check-plugin", rich_help_panel=INSPECT)(check_plugin)


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
    told: list[Any] = [group.registered_callback] if group.registered_callback and not group.info.help else []
    for command in [*group.registered_commands, *told]:
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
    words = words_of(arguments)
    asked = app if words is None else with_asked_options(app, words)
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    console.ANSWERED.clear()

    def call() -> int | None:
        try:
            command = typer.main.get_command(asked)
            refuse_repeated(command)
            code = command.main(arguments, prog_name=name, standalone_mode=False)
        except typer.Exit as exit:
            code = exit.exit_code
        except typer.Abort:
            code = INTERRUPTED
        except _ClickError as error:
            _name_setting(error)
            error.show()
            return answer_error(error.format_message(), error.exit_code, as_json)
        if code == INTERRUPTED:  # what typer makes of Ctrl-C and SIGTERM
            raise KeyboardInterrupt
        return code

    return exit_code_of(call, as_json)


def main() -> None:
    """Run the command line and exit.

    :mod:`xmic_cli.__main__` calls it after it has found our packages.
    """
    sys.exit(run())
