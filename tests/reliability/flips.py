"""Damage one file of a finished chain, and see that it is noticed or redone, and never silently believed.

The damage is one flipped bit, one other digit, a cut, or a page of zeros; the file's time stays. Then either a command
that reads the file runs, or ``xmic status --verify``. All inputs are made here.

    python -m tests.reliability.flips --flips 2000 --seed 0
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pyarrow.parquet as pq

from tests.reliability import children, page
from tests.reliability.chain_states import ChainStates, contents, differences
from tests.reliability.small_world import call

VERIFY = "status --verify"
_NOTICED = (2, 3, 4, 5)
_NOT_OK = ("stale", "missing", "damaged", "incomplete")


@dataclass(frozen=True)
class Use:
    """Commands that read an artifact, from a state in which they have to.

    Attributes:
        state: copy of the folder before them.
        lines: the command lines.
        after: contents of the folder after them where nothing is damaged.
    """

    state: Path
    lines: Sequence[Sequence[str]]
    after: Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind of artifact.

    Attributes:
        name: as the page names it.
        files: patterns of its files, relative to the folder.
        uses: names of the uses that read it.
        verified: ``xmic status --verify`` must notice its damage.
    """

    name: str
    files: Sequence[str]
    uses: Sequence[str]
    verified: bool = True


KINDS = (
    Kind("manifests", ["work/manifests/*/*/*.parquet"], ["embed", "train", "evaluate"]),
    Kind("classes", ["work/manifests/*/classes_*.parquet"], ["embed text", "evaluate"]),
    Kind("frames", ["work/frames/*/part-*.parquet"], ["detect-hands", "embed"]),
    Kind("sides of frames", ["work/frames/*/clip_frames/*.parquet", "work/frames/*/videos/*.parquet"], ["train"]),
    Kind("boxes", ["work/hands/*/part-*.parquet"], ["embed"]),
    Kind("vectors", ["work/embeddings/*/part-*.parquet"], ["train", "evaluate"]),
    Kind("class names' vectors", ["work/text/*.parquet"], ["train", "evaluate"]),
    Kind("state.pt", ["work/runs/*/state.pt"], ["train, stopped"], verified=False),
    Kind("weights", ["work/runs/*/weights.safetensors"], ["evaluate", "export", "predict"]),
    Kind("config.json", ["work/runs/*/config.json"], ["evaluate", "export", "predict"]),
    Kind("summary.json", ["work/runs/*/summary.json"], ["evaluate", "export", "report"]),
    Kind("metrics.jsonl", ["work/runs/*/metrics.jsonl"], ["train again", "report"]),
    Kind("predictions", ["work/evaluations/*/predictions.parquet"], ["evaluate again", "report"]),
    Kind("metrics.json", ["work/evaluations/*/metrics.json"], ["report", "export"]),
    Kind("card.json", ["work/evaluations/*/card.json"], ["leaderboard"]),
    Kind("layouts", ["work/cache/features/*"], ["train, laid out", "evaluate, laid out"]),
    Kind("facts about files", ["work/cache/*.jsonl"], ["evaluate", "report"], verified=False),
    Kind("exported run", ["exported/*"], ["evaluate the export"], verified=False),
    Kind("footage", ["work/cache/predict/*.parquet"], ["predict again", "predict from vectors"], verified=False),
)


@dataclass(frozen=True)
class Flip:
    """One damage: of which kind, how, and what then reads it."""

    kind: Kind
    how: str
    use: str


@dataclass
class Outcome:
    """Numbers of flips by kind of artifact and by how they ended, and those that nobody noticed."""

    ends: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)


ENDS = ("noticed", "redone", "without effect")


def damaged(data: bytes, how: str, rng: random.Random) -> bytes:
    """Damage bytes once."""
    changed = bytearray(data)
    if how == "a bit":
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == "a digit":
        digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
        if digits:
            at = rng.choice(digits)
            changed[at] = rng.choice([digit for digit in range(48, 58) if digit != data[at]])
    elif how == "a cut":
        del changed[rng.randrange(len(data)) :]
    else:
        at = rng.randrange(len(data))
        changed[at : at + 512] = bytes(len(changed[at : at + 512]))
    return bytes(changed)


HOWS = ("a bit", "a bit", "a bit", "a digit", "a cut", "zeros")


def same_content(name: str, data: bytes, before: Path) -> bool:
    """Tell whether damage left everything as it was that a reader can see."""
    if name.endswith((".json", ".jsonl")):
        try:
            parts = [text.splitlines() if name.endswith("l") else [text] for text in (data, before.read_bytes())]
            return [json.loads(line) for line in parts[0]] == [json.loads(line) for line in parts[1]]
        except ValueError:
            return False
    if name.endswith(".parquet"):
        return _same_table(data, before)
    return False


def _same_table(data: bytes, before: Path) -> bool:
    """Compare tables in a child: damage can end the process inside the library."""
    file = before.with_name("damaged.parquet")
    file.write_bytes(data)

    def compare() -> int:
        now, then = pq.ParquetFile(file), pq.ParquetFile(before)
        same = now.metadata.metadata == then.metadata.metadata and now.read().equals(then.read())
        return 0 if same else 1

    try:
        return children.start(compare, file.with_suffix(".txt")).wait() == 0
    finally:
        file.unlink()


class Flipping:
    """The states in which something is damaged, and the uses of each kind of artifact."""

    def __init__(self, folder: Path) -> None:
        self.states = states = ChainStates(folder, only=["train"])
        self._good = folder / "good"
        lines, before = states.world.stages, states.before
        mine = ("-w", str(states.world.work))
        self.uses: dict[str, Use] = {}
        for name in ("detect-hands", "embed", "embed text", "train", "evaluate", "report", "export", "predict"):
            self._add(name, before[name], [lines[name]])
        self._add("train again", before["evaluate"], [lines["train"], lines["evaluate"]])
        self._add("train, laid out", before["evaluate"], [lines["train"]], "work/runs")
        self._add("evaluate again", before["report"], [lines["evaluate"], lines["report"]])
        self._add("evaluate, laid out", before["report"], [lines["evaluate"]], "work/evaluations")
        export = ("evaluate", str(states.world.exported), "--trust", *lines["evaluate"][1:])
        self._add("evaluate the export", before["predict"], [export], "work/evaluations")
        cards = str(states.world.work / "evaluations")
        self._add("leaderboard", before["report"], [("leaderboard", cards)])
        self._add("predict again", before["gc"], [lines["predict"]], "answers.csv")
        self._add("predict from vectors", before["gc"], [lines["predict"]], "work/cache/predict/*/evaluations")
        self._add("train, stopped", self._stopped(), [lines["train"]])
        self.uses[VERIFY] = Use(before["predict"], [("status", "--verify", "--json", *mine)], {})

    def _add(self, name: str, state: Path, lines: Sequence[Sequence[str]], without: str = "") -> None:
        self.states.restore(state)
        for path in self.states.world.folder.glob(without) if without else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        kept = self.states.keep(f"use-{len(self.uses)}")
        if codes := self._run(lines):
            raise RuntimeError(f"{name}: exit codes {codes}: {self.states.said.read_text()[-2000:]}")
        self.uses[name] = Use(kept, lines, contents(self.states.world.folder))

    def _stopped(self) -> Path:
        """Stop a training in its middle."""
        train = self.states.stages["train"]
        self.states.restore(train.before)

        def stop(number: int) -> None:
            if number == train.calls // 2:
                os.kill(os.getpid(), signal.SIGTERM)

        self.states.run(train.run, lambda: children.on_calls(stop, lambda number: None))
        return self.states.keep("train-stopped")

    def _run(self, lines: Sequence[Sequence[str]]) -> int:
        """Run command lines in one child; return the first exit code that is not 0."""

        def run() -> int:
            return next((code for code in (call(line)() for line in lines) if code), 0)

        return self.states.run(run)

    def run(self, flips: Iterable[Flip], rng: random.Random, until: float, say: Callable[[str], None]) -> Outcome:
        """Make flips, each of them in a fresh copy of the folder, until a time of ``time.monotonic()``."""
        outcome = Outcome()
        for number, flip in enumerate(flips):
            if time.monotonic() > until:
                break
            if number % 50 == 0:
                say(f"{number} flips; now {flip.kind.name}, {flip.use}")
            use = self.uses[flip.use]
            self.states.restore(use.state)
            file = self._damage(flip, rng)
            if file is None:
                continue
            end, problem = self._after(flip, use, file)
            outcome.ends[flip.kind.name, end] += 1
            if problem:
                kept = self.states.set_aside(len(outcome.wrong))
                outcome.wrong.append(f"{flip.kind.name}, {flip.how}, {file}, {flip.use}: {problem}")
                say(f"{outcome.wrong[-1]} [{kept}]")
        return outcome

    def _damage(self, flip: Flip, rng: random.Random) -> str | None:
        """Damage a file; return its name, None where there is none or the damage changed nothing."""
        folder = self.states.world.folder
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size)
        names = [path.relative_to(folder).as_posix() for path in files if ".locks" not in path.parts]
        names = [name for name in names if any(fnmatch(name, pattern) for pattern in flip.kind.files)]
        if not names:
            raise RuntimeError(f"no file of the kind {flip.kind.name} before {flip.use}")
        name = rng.choice(names)
        file = folder / name
        self._good.mkdir(exist_ok=True)
        good = self._good / ("good" + file.suffix)
        shutil.copy(file, good)
        data = damaged(file.read_bytes(), flip.how, rng)
        if data == good.read_bytes() or same_content(name, data, good):
            return None
        times = file.stat()
        file.write_bytes(data)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        return name

    def _after(self, flip: Flip, use: Use, file: str) -> tuple[str, str]:
        """Use the folder; return how it ended, and what is wrong with that."""
        folder = self.states.world.folder
        was = (folder / file).read_bytes()
        code = self._run(use.lines)
        if code in _NOTICED:
            said = self.states.said.read_text(errors="replace")
            named = any(part in said for part in (Path(file).name, Path(file).parent.name))
            return "noticed", "" if named else f"an error that does not name it: {self.states.last_line}"
        if code:
            return "wrong", f"exit code {code}: {self.states.last_line}"
        if flip.use == VERIFY:
            shown = json.loads(self.states.said.read_text())["stages"]
            clean = not any(stage[state] for stage in shown for state in _NOT_OK)
            return ("wrong", "not noticed") if clean else ("noticed", "")
        changed = differences(contents(folder), use.after)
        redone = file not in " ".join(changed)
        others = [line for line in changed if not line.startswith(file) and ".damaged is left over" not in line]
        others = [line for line in others if not line.startswith("work/cache/features/")]
        if others:
            return "wrong", f"silently other files: {'; '.join(others[:4])}"
        left = (folder / file).is_file() and (folder / file).read_bytes() == was
        return ("without effect" if left or not redone else "redone"), ""


def chosen_flips(flips: int, seed: int, only: str = "") -> list[Flip]:
    """Choose flips by seed: of each kind of artifact about as many, and of each use."""
    rng = random.Random(seed)
    kinds = [kind for kind in KINDS if only in kind.name]
    found = []
    for number in range(flips):
        kind = kinds[number % len(kinds)]
        names = [*kind.uses, VERIFY] if kind.verified else list(kind.uses)
        found.append(Flip(kind, rng.choice(HOWS), names[number // len(kinds) % len(names)]))
    return found


_ABOUT = (
    "One file of a finished chain is damaged: a flipped bit, another digit, a cut, or 512 bytes of zeros. The time "
    "of the file stays as it was. Then a command that reads it runs, or `xmic status --verify`.",
    "“Noticed” is an error that names the file, or a state other than done in `status --verify`. “Redone” means that "
    "the file has its right bytes again. “Without effect” means that every other file is what it would have been; so "
    "it is where a command does not read the damaged bytes. `status --verify` must notice each damage of the "
    "workspace. Damage that changes nothing a reader can see is not counted.",
)


def found(outcome: Outcome, command: str) -> page.Found:
    """Write the counts for the page."""
    rows: list[list[object]] = [
        [kind.name, *(outcome.ends[kind.name, end] for end in (*ENDS, "wrong"))]
        for kind in KINDS
        if any(outcome.ends[kind.name, end] for end in (*ENDS, "wrong"))
    ]
    rows.append(["all", *(sum(row[column] for row in rows) for column in range(1, 5))])  # type: ignore[misc]
    summary = f"{sum(outcome.ends.values())} damages, {len(outcome.wrong)} of them wrongly believed or answered."
    return page.Found("Damaged files", _ABOUT, command, summary, ["artifact", *ENDS, "wrong"], rows, outcome.wrong)


def main() -> None:
    """Run the flips and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the name of a kind")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--write", action="store_true", help="keep the counts, and write docs/reliability.md")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flips-"))
    flipping, begun = Flipping(folder), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:5.0f} s  {text}", flush=True)

    flips = chosen_flips(given.flips, given.seed, given.only)
    outcome = flipping.run(flips, random.Random(given.seed), begun + 60 * given.minutes, say)
    result = found(outcome, f"python -m tests.reliability.flips --flips {given.flips} --seed {given.seed}")
    print("\n".join(result.lines))
    if given.write:
        page.record("flips", result)
    if outcome.wrong:
        sys.exit(f"{len(outcome.wrong)} damages went wrong; see {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
