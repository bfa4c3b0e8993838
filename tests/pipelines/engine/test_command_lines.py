from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from data_manifests.errors import MissingUpstream
from pipelines.chain.status import status
from pipelines.embed.encoders.spec import encoder_option
from pipelines.engine.command_lines import in_workspace, of_split
from pipelines.engine.workspace import Workspace
from pipelines.train.options import ProtocolChoice
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
    assert of_split("mine", "val", Path("my work")) == "mine --split val -w 'my work'"


def test_the_encoder_is_named_by_what_finds_its_files_else_left_to_the_user(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, encoders={"clip-01234567": "open_clip:ViT-B-16=/my disk/clip.pt"})
    assert encoder_option(workspace, "clip-01234567", "open_clip:ViT-B-16=clip.pt") == (
        "--encoder 'open_clip:ViT-B-16=/my disk/clip.pt'"
    )
    assert encoder_option(workspace, "pocket-979083af", "pocket") == "--encoder pocket"
    assert encoder_option(workspace, "open_clip:ViT-B-16/openai") == "--encoder open_clip:ViT-B-16/openai"
    assert encoder_option(workspace, "pocket") == "--encoder pocket"
    assert encoder_option(workspace, "clip-89abcdef") == encoder_option(workspace, None) == "--encoder NAME"


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
