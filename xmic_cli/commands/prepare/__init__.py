"""``xmic prepare``: annotation files to manifests, one subcommand per format."""

from __future__ import annotations

import typer

from xmic_cli.commands.prepare.ego4d import ego4d
from xmic_cli.commands.prepare.egtea import egtea
from xmic_cli.commands.prepare.epic import epic
from xmic_cli.commands.prepare.own import own
from xmic_cli.commands.prepare.table import table

app = typer.Typer(
    no_args_is_help=True,
    help="Read a dataset's annotation files into manifests: every row becomes a clip or a reject with its reason.",
)
app.command("epic")(epic)
app.command("ego4d")(ego4d)
app.command("egtea")(egtea)
app.command("table")(table)
app.command("own")(own)
