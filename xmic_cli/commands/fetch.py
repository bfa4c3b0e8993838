"""``xmic fetch``: weights for machines without network."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.options import Json, Offline


def fetch(
    what: Annotated[
        list[str],
        typer.Argument(
            help="Encoders (open_clip:ViT-B-16/openai), runs (hf://owner/repo), hand models (hf://owner/repo/file.pt).",
            metavar="WHAT...",
        ),
    ],
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Download weights of encoders, runs and hand models for later commands.

    Run it where there is network, such as a cluster's login node. Later commands with --offline find the files in the
    caches of the libraries ($HF_HOME, else ~/.cache). A run (hf://owner/repo or hf://owner/repo@revision) comes with
    its encoders. What is there is not downloaded again; --offline only checks that all is there.
    """
    from pipelines.evaluate.fetch import fetch as fetch_one

    found = [fetch_one(one, offline=offline) for one in what]
    files = [file for one in found for file in one.files]
    text = [f"{file.of}: {file.path} ({file.bytes / 1e6:,.1f} MB, sha256 {file.sha256})" for file in files]
    notes = [note for one in found for note in one.notes]
    console.emit({"files": [asdict(file) for file in files], "notes": notes}, json, text)
    for note in notes:
        console.note(note)
