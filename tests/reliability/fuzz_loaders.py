"""Damage files of every kind that xmic loads, and count how their loaders end.

A loader may return what it read, or raise an XmicError. Anything else is a bug. All inputs are made here.

    python -m tests.reliability.fuzz_loaders --mutants 10000 --seed 0 --write
"""

from __future__ import annotations

import collections
import io
import json
import random
import shutil
import sys
import tempfile
import traceback
import types
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch
import yaml

from data_manifests.errors import XmicError
from data_manifests.json_files import json_object
from data_manifests.readers.table_files import open_table, read_names
from pipelines.chain.grid import read_cells
from pipelines.embed.encoders.weights import read_content, read_state_dict
from pipelines.embed.vector_files import read_vectors
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.clip_list import read_clip_list
from pipelines.evaluate.exported import exported_names, write_index
from pipelines.evaluate.given_scores import read_scores
from pipelines.evaluate.metrics_file import read_metrics
from pipelines.evaluate.result_card import read_card
from pipelines.evaluate.trained import find_run
from pipelines.hands import model_file
from pipelines.hands.box_rows import read_box_rows
from pipelines.hands.epic_100doh import read_messages
from pipelines.hands.finetune.datasets import yolo_dataset
from pipelines.hands.hoa_message import decode_message
from pipelines.hands.labelled import read_yolo_text
from pipelines.hands.model_file import read_model
from pipelines.hands.yolo_checkpoint import read_checkpoint
from tests.pipelines.evaluate.cards import write_card_file
from tests.pipelines.evaluate.run_folders import write_run
from tests.pipelines.hands.hoa_files import messages, write
from tests.reliability import page

_WORDS = (
    *(
        b"null",
        b"true",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\x00",
        b"\xff\xfe",
        b"-1",
        b"1e999",
        b"NaN",
        b"inf",
        b'"',
        b"\\ud800",
    ),
    *(b"../../../x", b"/etc/passwd", b"9" * 5000, b"[" * 5000, b'{"a":' * 3000, b"=", b",", b"\n", b"\r", b"(", b"."),
)
_PACKAGED = Path(model_file.__file__).parent / "model"
_METRICS = Path(__file__).parents[1] / "pipelines" / "evaluate" / "metrics_of_0_1_0.json"


@dataclass(frozen=True)
class Case:
    """A good file, and what loads it.

    Attributes:
        name: of the kind of file.
        make: writes the good files into a folder and returns the one that is damaged.
        load: is called with that file.
    """

    name: str
    make: Callable[[Path], Path]
    load: Callable[[Path], Any]


@dataclass
class Outcome:
    """How the loads of one kind ended."""

    read: int = 0
    refused: int = 0
    bugs: list[str] = field(default_factory=list)


def _text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content, "utf-8")
        return folder / name

    return make


def _vectors(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file, found = folder / name, np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
        ids = ["a", "b", "c"]
        if file.suffix == ".npy":
            np.save(file, found)
        elif file.suffix == ".npz":
            np.savez(file, vectors=found, clip_id=np.array(ids), logit_scale=np.float32(100))
        else:
            content = {"vectors": torch.from_numpy(found), "clip_id": ids, "frame": torch.arange(3)}
            torch.save(content, file, _use_new_zipfile_serialization="zip" in name)
        return file

    return make


def _weights(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file, state = folder / name, {"a.weight": torch.zeros(3, 4), "a.bias": torch.zeros(3)}
        if file.suffix == ".safetensors":
            safetensors.torch.save_file(state, file)
        else:
            torch.save({"state_dict": state, "epoch": 3}, file, _use_new_zipfile_serialization="zip" in name)
        return file

    return make


def _table(name: str) -> Callable[[Path], Path]:
    rows = {"clip_id": ["a", "b"], "noun_scores": [[0.1, 0.2], [0.3, 0.4]]}

    def make(folder: Path) -> Path:
        pq.write_table(pa.table(rows), folder / name)
        return folder / name

    return make


def _run(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        run = write_run(folder / "run")
        (run / "noun" / "classes.json").write_text('["cup", "pan"]')
        if name == "xmic.json":  # an index would notice each change of the other files first
            write_index(run, "run", "key")
        return run / name

    return make


def _hand_model(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        safetensors.torch.save_file({"a": torch.zeros(2)}, folder / "hands.safetensors")
        text = (_PACKAGED / "hands.yaml").read_text("utf-8").splitlines()
        sha256 = whole_file_sha256(folder / "hands.safetensors")
        text = [f"weights_sha256: {sha256}" if line.startswith("weights_sha256") else line for line in text]
        (folder / "hands.yaml").write_text("\n".join(text) + "\n", "utf-8")
        return folder / name

    return make


def _yolo(folder: Path) -> Path:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    (folder / "images/a.jpg").write_bytes(b"")
    (folder / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames: {0: hand, 1: other}\n")
    return folder / "data.yaml"


def _checkpoint(folder: Path) -> Path:
    """A checkpoint as Ultralytics pickles it, of classes that are made here under its names."""
    name = "ultralytics.nn.tasks"
    model = type("DetectionModel", (), {"__module__": name})()
    architecture = yaml.safe_load((_PACKAGED / "hands.yaml").read_text("utf-8"))["architecture"]
    model.__dict__.update(yaml=architecture, names=["left", "right"], _parameters={"a": torch.zeros(2)}, _modules={})
    module = types.ModuleType(name)
    vars(module)["DetectionModel"] = type(model)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        torch.save({"model": model, "epoch": 1}, folder / "best.pt")
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
    return folder / "best.pt"


def _messages(file: Path) -> None:
    for one in read_messages(file):
        decode_message(one)


def _load_run(file: Path) -> Any:
    folder = next(place for place in file.parents if place.name == "run")
    return find_run(Workspace.open(folder.parent / "work"), str(folder))


_CSV = "clip_id,noun:0,noun:1\na,0.1,0.2\nb,0.3,0.4\n"
_BOXES = "video,time_s,x0,y0,x1,y1,score\na,0.5,0.1,0.1,0.9,0.9,0.8\n"
_CHAIN = '[[dataset]]\nname = "x"\nreader = "table"\nfiles = ["val=x.csv"]\n[embed]\nencoder = "pocket"\n'
_WORKSPACE = 'layout = 1\n[precision]\ncpu = "fp32"\n[datasets.epic]\nreader = "epic"\nroots = ["/v"]\ngroups = 4\n'
_CLASSES: Any = {"noun": ["cup", "pan"], "verb": ["cut"]}

CASES = (
    Case("vectors .npy", _vectors("v.npy"), read_vectors),
    Case("vectors .npz", _vectors("v.npz"), read_vectors),
    Case("vectors .pt, zip", _vectors("zip.pt"), read_vectors),
    Case("vectors .pt, legacy", _vectors("legacy.pt"), read_vectors),
    Case("weights .pt, zip", _weights("zip.pt"), lambda file: _touched(read_state_dict(file))),
    Case("weights .pt, legacy", _weights("legacy.pt"), lambda file: _touched(read_state_dict(file))),
    Case("weights .safetensors", _weights("w.safetensors"), lambda file: _touched(read_content(file))),
    Case("hand weights .pt", _checkpoint, read_checkpoint),
    Case("hand model .yaml", _hand_model("hands.yaml"), lambda file: read_model(file.with_suffix(".safetensors"))),
    Case("YOLO label text", _text("a.txt", "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2\n"), read_yolo_text),
    Case("YOLO data.yaml", _yolo, yolo_dataset),
    Case("EPIC boxes .pkl", lambda folder: write(folder / "v.pkl", messages("P01_01", 3)), _messages),
    Case("run config.json", _run("noun/config.json"), _load_run),
    Case("run summary.json", _run("noun/summary.json"), _load_run),
    Case("run xmic.json", _run("xmic.json"), _load_run),
    Case("run classes.json", _run("noun/classes.json"), exported_names),
    Case("metrics.json", _text("metrics.json", _METRICS.read_text("utf-8")), read_metrics),
    Case("card.json", lambda folder: write_card_file(folder / "card.json", "theirs", 50.0), read_card),
    Case("annotation .json", _text("a.json", '{"clips": [{"a": 1.5, "b": null}]}'), json_object),
    Case("workspace.toml", _text("workspace.toml", _WORKSPACE), lambda file: Workspace.open(file.parent)),
    Case("xmic.toml", _text("xmic.toml", _CHAIN), read_cells),
    Case("table .csv", _text("t.csv", _CSV), open_table),
    Case("table .jsonl", _text("t.jsonl", '{"a": 1, "b": "x"}\n{"a": 2}\n'), open_table),
    Case("table .parquet", _table("t.parquet"), open_table),
    Case("names .txt", _text("n.txt", "cup\npan\n"), read_names),
    Case("scores .csv", _text("s.csv", _CSV), lambda file: read_scores([file], _CLASSES, {"a", "b"}, "epic val")),
    Case("scores .parquet", _table("s.parquet"), lambda file: read_scores([file], _CLASSES, {"a", "b"}, "epic val")),
    Case("list of clips", _text("c.csv", "clip_id\na\nb\n"), read_clip_list),
    Case("boxes .csv", _text("b.csv", _BOXES), read_box_rows),
)


def mutant(good: bytes, rng: random.Random) -> bytes:
    """Damage bytes: flip, cut, splice, repeat or overwrite some, up to eight times."""
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = rng.choice(_WORDS)
        elif kind == 4:
            data[at:end] = rng.randbytes(end - at)
        elif kind == 5:
            data[at:end] = rng.choice(_WORDS)
        else:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + rng.choice((1, 8, 64, 512))]
    return bytes(data)


def json_mutants(good: bytes) -> Iterator[bytes]:
    """Replace each value of a JSON text by values of other kinds, and leave each out."""
    try:
        content = json.loads(good)
    except ValueError:
        return
    others = (None, True, -1, 10**400, 1.5, "", "../x", [], {}, [[]], "x" * 300)

    def within(value: Any) -> Iterator[Any]:
        yield from others
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in list(items)[:40]:
            copy = dict(value) if isinstance(value, dict) else list(value)
            for other in within(inner):
                copy[key] = other
                yield copy
            del copy[key]
            yield copy

    for value in within(content):
        yield json.dumps(value).encode()


def zip_mutant(good: bytes, rng: random.Random) -> bytes:
    """Damage one member of a zip archive, and write the archive again with the right checksums."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(found, "w") as new:
        names = old.namelist()
        # The pickle or the header of an array; the rest are numbers, of which any are right.
        chosen = rng.choice([name for name in names if name.endswith((".pkl", ".npy"))] * 3 + names)
        for name in names:
            content = old.read(name)
            new.writestr(name, mutant(content, rng) if name == chosen else content)
    return found.getvalue()


def _touched(state: Any) -> None:
    """Read every number: tensors of a file may be read from the disk when they are used."""
    for value in state.values():
        if isinstance(value, torch.Tensor):
            value.float().sum()


def run_case(case: Case, mutants: int, seed: int, work: Path) -> Outcome:
    """Load a good file, which must work, and so many mutants of it."""
    rng = random.Random(f"{seed} {case.name}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    file = case.make(work)
    good, outcome = file.read_bytes(), Outcome()
    structured, is_zip = list(json_mutants(good)), zipfile.is_zipfile(file)
    case.load(file)
    for number in range(mutants):
        if structured and number % 2:
            data = rng.choice(structured)
        elif is_zip and number % 2:
            data = zip_mutant(good, rng)
        else:
            data = mutant(good, rng)
        file.write_bytes(data)
        try:
            case.load(file)
            outcome.read += 1
        except XmicError:
            outcome.refused += 1
        except Exception as error:
            kept = work.parent / f"{case.name.replace(' ', '-')}-{number}{file.suffix}"
            kept.write_bytes(data)
            where = traceback.extract_tb(error.__traceback__)[-1]
            mine = [one for one in traceback.extract_tb(error.__traceback__) if "/pipelines/" in one.filename]
            place = mine[-1] if mine else where
            found = f"{type(error).__name__}: {str(error)[:80]} at {Path(place.filename).name}:{place.lineno}"
            outcome.bugs.append(f"{case.name}, mutant {number}: {found}")
    return outcome


_ABOUT = (
    "Files of every kind that xmic loads are damaged, and loaded. A loader may return what it read, or end in one "
    "error that names the file; any other exception is wrong. Damage that leaves a file of its format is read, unless "
    "a digest shows it.",
)


def main() -> None:
    """Run all cases and print what was read, refused and a bug."""
    given = page.mutant_arguments(__doc__, 10_000)
    cases = [case for case in CASES if given.only in case.name]
    warnings.simplefilter("ignore")
    total, kinds = Outcome(), collections.Counter[str]()
    table: list[list[object]] = []
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for case in cases:
        found = run_case(case, -(-given.mutants // len(cases)), given.seed, place / "work")
        total.read, total.refused = total.read + found.read, total.refused + found.refused
        print(f"{case.name:28} read {found.read:5}  refused {found.refused:5}  bugs {len(found.bugs)}", flush=True)
        row = [found.read, found.refused, len(found.bugs)]
        table.append([case.name, sum(row), *row])
        kinds.update(bug.split(": ", 1)[1] for bug in found.bugs)
    print(f"all: read {total.read}, refused {total.refused}, bugs {sum(kinds.values())} (files in {place})")
    for bug, count in kinds.most_common():
        print(f"  {count:4} {bug}")
    if given.write:
        command = f"python -m tests.reliability.fuzz_loaders --mutants {given.mutants} --seed {given.seed}"
        tried, bugs = total.read + total.refused + sum(kinds.values()), sum(kinds.values())
        table.append(["all", tried, total.read, total.refused, bugs])
        summary = f"{tried} damaged files; wrong: {bugs}."
        head = ["file", "mutants", "read", "refused", "wrong"]
        page.record("loaders", page.Found("Loaders", _ABOUT, command, summary, head, table, list(kinds)))


if __name__ == "__main__":
    main()
