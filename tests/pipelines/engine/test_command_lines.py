from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from data_manifests.errors import MissingUpstream
from pipelines.chain.status import status
from pipelines.embed.encoders.spec import embed_command
from pipelines.embed.options import EmbedOptions
from pipelines.engine.command_lines import command_line, in_workspace
from pipelines.engine.workspace import Workspace
from pipelines.prepare.options import TableOptions
from pipelines.train.options import ProtocolChoice, TrainOptions
from pipelines.train.protocol import resolve
from xmic_cli.app import app


def _parsed(line: str) -> dict[str, Any]:
    """The options of a command line, as the command would take them; a required one that is missing is an error."""
    program, name, *arguments = shlex.split(line)
    assert program == "xmic"
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    return command.make_context(name, arguments).params


@pytest.fixture
def spaced(embedded: Workspace, tmp_path: Path) -> Workspace:
    """A workspace whose folder has a space in its name."""
    shutil.copytree(embedded.root, tmp_path / "my work")
    return Workspace.open(tmp_path / "my work")


def test_a_folder_with_a_space_is_one_word_to_the_shell() -> None:
    assert in_workspace(Path("work")) == "-w work"
    assert in_workspace(Path("my work")) == "-w 'my work'"


@pytest.mark.parametrize(
    ("encoder", "recorded", "named"),
    [
        ("clip-01234567", "open_clip:ViT-B-16=clip.pt", "'open_clip:ViT-B-16=/my disk/clip.pt'"),
        ("pocket-979083af", "pocket", "pocket"),
        ("open_clip:ViT-B-16/openai", None, "open_clip:ViT-B-16/openai"),
        ("pocket", None, "pocket"),
        ("clip-89abcdef", None, "NAME"),
        (None, None, "NAME"),
    ],
)
def test_the_encoder_is_named_by_what_finds_its_files_else_left_to_the_user(
    encoder: str | None, recorded: str | None, named: str
) -> None:
    workspace = Workspace(Path("work"), encoders={"clip-01234567": "open_clip:ViT-B-16=/my disk/clip.pt"})
    assert (
        embed_command(workspace, "a", "val", encoder, recorded) == f"xmic embed a --split val -w work --encoder {named}"
    )


def test_only_what_differs_from_the_defaults_is_printed() -> None:
    plain = TrainOptions("my clips")
    assert command_line("train", plain) == "xmic train 'my clips'"
    changed = TrainOptions(
        "a", set={"n1": False, "betas": [0.9, 0.98]}, label="noun", source_val="20%", fixed_frames=True, prompt="a {}"
    )
    assert command_line("train", changed, root=Path("work")) == (
        "xmic train a -w work --prompt 'a {}' --set n1=false --set betas=0.9,0.98 --label noun --source-val 20% "
        "--fixed-frames"
    )
    without_text = EmbedOptions("pocket", text=False, crop_margin=0.25)
    assert command_line("embed", without_text, "a", split="val") == (
        "xmic embed a --split val --encoder pocket --no-text --crop-margin 0.25"
    )
    table = TableOptions(
        name="a", files=("val=x.csv", "b.csv"), column={"video": "clip"}, videos=(Path("v"), Path("w"))
    )
    assert command_line("prepare table", table) == (
        "xmic prepare table val=x.csv b.csv --name a --videos v --videos w --column video=clip"
    )


def test_every_command_that_status_names_can_be_typed(spaced: Workspace) -> None:
    for folder in ("hands", "embeddings"):
        for part in (spaced.root / folder / "mine" / "val").rglob("part-*.parquet"):
            part.write_bytes(b"damaged")
    for file in (spaced.root / "text" / "mine").rglob("*.parquet"):
        file.write_bytes(b"damaged")
    lines = [item.next for item in status(spaced) if item.next]
    assert {shlex.split(line)[1] for line in lines} == {"detect-hands", "embed"}
    for line in lines:
        assert _parsed(line)["workspace"] == spaced.root, line


@pytest.mark.parametrize(
    ("choice", "encoder"),
    [(ProtocolChoice(), "NAME"), (ProtocolChoice(encoder="open_clip:ViT-B-16/openai"), "open_clip:ViT-B-16/openai")],
)
def test_a_training_without_vectors_names_a_command_that_can_be_typed(
    spaced: Workspace, choice: ProtocolChoice, encoder: str
) -> None:
    shutil.rmtree(spaced.root / "embeddings")
    with pytest.raises(MissingUpstream) as raised:
        resolve(spaced, "mine", "val", choice, classify_default="full")
    given = _parsed(str(raised.value).partition("Run ")[2])
    assert (given["encoder"], given["workspace"], given["split"]) == (encoder, spaced.root, ["val"])
