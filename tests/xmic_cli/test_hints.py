"""Commands in messages: each is read by the real command line, as it stands."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pipelines.chain.status import status
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.embed.encoders.spec import embed_command
from pipelines.embed.imported import encoder_slug
from pipelines.engine import stage
from pipelines.engine.workspace import Workspace
from pipelines.hands.detector import DetectorIdentity
from pipelines.hands.stage import DetectHandsStage
from pipelines.report.collect import collect
from pipelines.report.headlines import headlines
from pipelines.report.not_run import not_run
from pipelines.report.tables import tables_of
from tests.pipelines.embedded_world import FakeDetector
from tests.pipelines.report.evaluations import both, evaluation
from xmic_cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("data_manifests", "pipelines", "pocket_kitchens", "xmic_cli")

_PROSE = re.compile(r"[.,;:!?)]*$")


def _command(words: list[str]) -> tuple[Any, str, list[str]]:
    """The command that some words begin with, its name, and the other words."""
    found: Any = typer.main.get_command(app)
    name = "xmic"
    while words and words[0] in getattr(found, "commands", {}):
        name, *words = words
        found = found.commands[name]
    return found, name, words


def refused(line: str) -> str | None:
    """Why the command line refuses a line; None where it takes it."""
    for one in re.split(r"\s*&&\s*", line):
        program, *words = shlex.split(one)
        if program != "xmic":
            return f"{one}: no command of xmic"
        command, name, rest = _command(words)
        if name == "xmic" or getattr(command, "no_args_is_help", False):
            return f"{one}: no command"
        try:
            command.make_context(name, rest)
        except Exception as error:
            return f"{one}: {error}"
    return None


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    """The strings of a file that a user may read, with X for what is filled in."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    silent: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            silent.add(id(body[0].value))  # a docstring
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


def _hints(text: str) -> Iterator[tuple[bool, list[str]]]:
    """The words of each command in a text: as far as they are subcommands, options, placeholders or file names."""
    for found in re.finditer(r"\bxmic (?=[a-z])", text):
        words: list[str] = []
        for raw in text[found.end() :].split():
            word = _PROSE.sub("", raw).strip("`'\"")
            rest = _command([*words, word])[2]
            known = not rest or word.startswith("-") or word.isupper() or "/" in word or (words and words[-1][0] == "-")
            if not known or not word:
                break
            words.append(word)
            if word != raw:
                break
        to_be_run = text[: found.start()].lower().endswith(("run ", "run: ", "frames: "))
        yield to_be_run, words or text[found.end() :].split()[:1]


_HINTS = [
    pytest.param(to_be_run, words, id=f"{file.relative_to(ROOT)}:{line} xmic {' '.join(words)}")
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
    for line, text in _texts(file)
    for to_be_run, words in _hints(text)
]


def test_there_are_hints_to_walk() -> None:
    assert len(_HINTS) > 80


_SENTENCES = set(
    "and asks did does drew from hand installed into learns makes needs on reads result takes that then trains with "
    "wrote".split()
)
"""Words behind 'xmic' where it is the subject of a sentence, or part of a name."""


@pytest.mark.parametrize(("to_be_run", "words"), _HINTS)
def test_a_command_in_a_text_is_one_and_has_the_options_that_are_named(to_be_run: bool, words: list[str]) -> None:
    if words[0].strip(",.") in _SENTENCES:
        return
    command, name, rest = _command(words)
    assert name != "xmic", f"no command xmic {' '.join(words)}"
    if to_be_run and words != ["prepare"]:  # which prints its help
        assert refused(f"xmic {shlex.join(words)}") is None
    options = {option for item in command.params for option in (*item.opts, *item.secondary_opts)}
    assert {word for word in rest if word.startswith("-")} <= options | {"--help", "-h"}


@pytest.mark.parametrize(
    "text",
    ["xmic prepare (of epic, in this workspace)", "xmic embed epic", "xmic evaluate --wrong", "xmic nothing", "xmic"],
)
def test_a_hint_that_can_not_be_typed_is_found(text: str) -> None:
    assert refused(text)


def _next(workspace: Workspace) -> dict[str, str]:
    found = {f"{item.stage} {item.dataset} {item.split} {item.what}": item.next for item in status(workspace)}
    for line in found.values():
        assert not line or refused(line) is None
    return {what: line for what, line in found.items() if line}


_GIVEN = both("scored: mine", run={"key": None, "preset": None, "seed": None})
_LARGE = {"encoder": "open-clip-vit-l-14-openai-01234567", "encoder_spec": "open_clip:ViT-L-14/openai"}


@pytest.mark.parametrize(
    ("made", "tables"),
    [
        pytest.param([*both(), *both("zero-shot")], {3, 4, 5, 6, 7}, id="first runs"),
        pytest.param([evaluation(target="ego4d")], {3, 4, 5, 6, 7}, id="within alone"),
        pytest.param([evaluation(target=target) for target in ("ego4d", "egtea")], {1, 4, 5, 6, 7}, id="EGTEA"),
        pytest.param([*both(source="my clips", protocol=_LARGE)], {3, 4, 5, 6, 7}, id="a name with a space"),
        pytest.param(both(run={"changed_settings": {"n1": False}}), {1, 2, 3, 4, 5, 6, 7}, id="a setting of one table"),
        pytest.param(_GIVEN, {3, 4, 5, 6, 7}, id="scores that were given"),
        pytest.param([one | {"source": None, "labels": {}} for one in _GIVEN], {2, 3, 4, 5, 6, 7}, id="no source"),
    ],
)
def test_every_command_of_a_report_is_read(tmp_path: Path, made: list[dict[str, Any]], tables: set[int]) -> None:
    workspace = Workspace.open(tmp_path / "work")
    for one in made:
        folder = workspace.evaluation(one["run"]["name"], one["target"]["dataset"], one["target"]["split"])
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(one))
    found = collect(workspace)
    listed = not_run(found, tables_of(found, workspace), headlines(found.evaluations))
    said = " ".join(item.why for item in listed)
    assert {number for number in range(1, 8) if f"Table {number} " in said} == tables
    for item in listed:
        for line in item.commands:
            assert refused(line) is None, item.why


def _without_vectors(workspace: Workspace, pattern: str) -> None:
    """Remove all but one shard, or damage the only one: something is to be done."""
    for part in (workspace.root / "embeddings").rglob(f"{pattern}/part-*.parquet"):
        part.with_name("part-9999.parquet").write_bytes(part.read_bytes())
        part.unlink()


def test_the_next_command_of_every_stage_is_read(embedded: Workspace) -> None:
    for kind in ("hands", "embeddings"):
        for part in (embedded.root / kind).rglob("part-*.parquet"):
            part.with_name("part-9999.parquet").write_bytes(part.read_bytes())
            part.unlink()
    shutil.rmtree(embedded.root / "frames" / "other")
    found = _next(embedded)
    assert {what.split()[0] for what in found} >= {"decode", "detect-hands", "embed"}


def test_boxes_of_two_detectors_are_told_apart_in_the_next_command(embedded: Workspace) -> None:
    frames = DecodeStage(embedded, "mine", "val", FramePlan(4, 1, 0))
    stage.run(DetectHandsStage(frames, DetectorIdentity("other-00000000", {"detector": "x"}, {}), FakeDetector))
    _without_vectors(embedded, "hand-*")
    lines = [line for what, line in _next(embedded).items() if what.startswith("embed mine val")]
    assert lines
    assert all("--streams hand" in line and "--detector fake-hands-00000000" in line for line in lines)


@pytest.mark.parametrize(("split", "told"), [("val", "--split val"), (None, "--text noun=FILE")])
def test_vectors_that_were_imported_are_imported_again_not_embedded(
    tmp_path: Path, split: str | None, told: str
) -> None:
    line = embed_command(Workspace(tmp_path), "mine", split, encoder_slug("lab"), "imported:lab")
    assert refused(line) is None
    assert line.startswith("xmic import-features mine")
    assert told in line
    assert "--name lab" in line
