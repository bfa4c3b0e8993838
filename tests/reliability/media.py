"""Damage videos and pictures of many kinds, decode each by the real stage, and compare with FFmpeg alone.

Each mutant is a video of its own in a prepared dataset. The workers of the decode stage have little memory. A frame
that is stored must be one of those that FFmpeg alone decodes from the same file. Every instant without a frame must
have a failure row with a reason. Nothing may hang, crash or end in a traceback. All inputs are made here.

    python -m tests.reliability.media --mutants 1000 --seed 0 --write
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import av

from data_manifests.errors import TooManyFailures
from data_manifests.readers.table import TableReader
from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage
from pipelines.engine import stage
from pipelines.engine.shards import read_rows, side_path
from pipelines.engine.stage import RunPolicy
from pipelines.engine.workers import run_killable
from pipelines.engine.workspace import Workspace
from pipelines.prepare.stage import prepare
from tests.reliability import page
from tests.reliability.limited_worker import PEAKS, any_reason, decode_limited, decode_plainly, digest
from tests.video_maker import draw_frame, make_video

_PLAN = FramePlan(segments=6, candidates=1, short_side=0)
_TIMEOUT_S = 120.0
_A_BATCH = 250
_NEVER = ("timeout", "worker_killed", "out_of_memory")

_VIDEOS: dict[str, dict[str, object]] = {
    "H.264 in MP4": {"name": "v.mp4"},
    "H.264 in Matroska": {"name": "v.mkv"},
    "H.264 in MPEG-TS": {"name": "v.ts"},
    "H.264 in AVI": {"name": "v.avi"},
    "H.264 in FLV": {"name": "v.flv"},
    "H.264 with open GOPs in MP4": {"name": "v.mp4", "open_gop": True},
    "H.264, raw": {"name": "v.h264"},
    "HEVC in MP4": {"name": "v.mp4", "codec": "libx265"},
    "HEVC in Matroska": {"name": "v.mkv", "codec": "libx265", "open_gop": True},
    "VP8 in WebM": {"name": "v.webm", "codec": "libvpx"},
    "VP9 in WebM": {"name": "v.webm", "codec": "libvpx-vp9"},
    "AV1 in MP4": {"name": "v.mp4", "codec": "libsvtav1"},
    "MPEG-4 in MP4": {"name": "v.mp4", "codec": "mpeg4"},
    "MPEG-4 in AVI": {"name": "v.avi", "codec": "mpeg4"},
    "MPEG-2 in MPEG-PS": {"name": "v.mpg", "codec": "mpeg2video"},
    "Motion JPEG in AVI": {"name": "v.avi", "codec": "mjpeg"},
    "GIF": {"name": "v.gif", "codec": "gif", "fps": 10},
}
_FOLDERS = ("JPEGs in a folder", "PNGs in a folder", "JPEGs in a tar", "chunks of H.264")
KINDS = (*_VIDEOS, *_FOLDERS)


@dataclass
class Outcome:
    """What became of the mutants of one kind.

    Attributes:
        mutants: their number.
        frames: stored frames.
        beside_gaps: of them, those that FFmpeg shows otherwise, in a file that lacks packets.
        undefined: of them, those of which FFmpeg leaves blocks unwritten, so that it shows what a buffer held before.
        unreadable: mutants of which no frame was stored.
        reasons: failure rows by reason.
        wrong: one line for each thing that was wrong.
    """

    mutants: int = 0
    frames: int = 0
    beside_gaps: int = 0
    undefined: int = 0
    unreadable: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Damage a file: anywhere, at its head or its tail; flip, overwrite, cut, drop or insert bytes."""
    where = dice.choice(
        [(0, len(data)), (0, len(data)), (0, min(600, len(data))), (max(0, len(data) - 3000), len(data))]
    )
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 5, 20, 100])):
        at = dice.randrange(*where)
        changed[at] = dice.choice([changed[at] ^ 1 << dice.randrange(8), 0, 255, dice.randrange(256)])
    at, how = dice.randrange(len(changed)), dice.randrange(8)
    if how == 0:
        del changed[at:]
    elif how == 1:
        del changed[at : at + dice.randrange(500)]
    elif how == 2:
        changed[at:at] = dice.randbytes(dice.randrange(300))
    elif how == 3:
        changed[at : at + 200] = bytes(len(changed[at : at + 200]))
    elif how == 4:
        changed[at:at] = changed[: dice.randrange(2000)]
    return bytes(changed)


def write_good(folder: Path, kind: str) -> Path:
    """Write the good file or folder of a kind."""
    folder.mkdir(parents=True)
    if kind in _VIDEOS:
        options = dict(_VIDEOS[kind])
        path = folder / str(options.pop("name"))
        make_video(path, **{"seconds": 1.0, "size": (96, 64), "gop": 10, **options})  # type: ignore[arg-type]
        return path
    place = folder / "v"
    place.mkdir()
    if kind.startswith("chunks"):
        for start in range(2):
            make_video(place / f"{start}.mp4", seconds=1.0, size=(96, 64), gop=10)
        return place
    for number in range(1, 13):
        jpeg = to_jpeg(draw_frame(number, (96, 64)), 90)
        (place / f"frame_{number:06d}.jpg").write_bytes(jpeg)
    if kind.startswith("PNG"):
        for file in sorted(place.iterdir()):
            with av.open(str(file)) as container:
                next(container.decode(video=0)).to_image().save(file.with_suffix(".png"))
            file.unlink()
    if kind.endswith("tar"):
        with tarfile.open(folder / "v.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
            for file in sorted(place.iterdir()):
                archive.add(file, file.name)
        shutil.rmtree(place)
        return folder / "v.tar"
    return place


def write_mutant(good: Path, target: Path, dice: random.Random) -> None:
    """Write a damaged copy of a file, or of a folder with some damaged files."""
    if good.is_file():
        target.write_bytes(damaged(good.read_bytes(), dice))
        return
    shutil.copytree(good, target)
    files = sorted(target.iterdir())
    for file in dice.sample(files, dice.randrange(1, len(files) + 1)):
        file.write_bytes(damaged(file.read_bytes(), dice))


def run_kind(kind: str, mutants: int, seed: int, folder: Path) -> Outcome:
    """Decode so many mutants of a kind, in batches of one dataset each."""
    dice, outcome = random.Random(f"{seed} {kind}"), Outcome()
    good = write_good(folder / "good", kind)
    for first in range(0, mutants, _A_BATCH):
        _run_batch(kind, good, min(_A_BATCH, mutants - first), dice, folder / f"{first}", outcome)
    return outcome


def _run_batch(kind: str, good: Path, mutants: int, dice: random.Random, folder: Path, outcome: Outcome) -> None:
    videos = folder / "videos"
    videos.mkdir(parents=True)
    names = [f"{number:04d}{good.suffix}" for number in range(mutants)]
    for name in names:
        write_mutant(good, videos / name, dice)
    lines = [f"{name},0,1,0,12" if kind in _FOLDERS[:3] else f"{name},0,1,," for name in names]
    table = folder / "clips.csv"
    table.write_text("\n".join(["video,start_s,stop_s,start_frame,stop_frame", *lines]) + "\n")
    workspace = Workspace.open(folder / "work")
    prepare(workspace, "mutants", TableReader([(table, "val")], roots=[videos]), [videos])
    decode = DecodeStage(workspace, "mutants", "val", _PLAN, 2, _TIMEOUT_S, function=decode_limited)
    before = time.monotonic()
    try:
        stage.run(decode, RunPolicy(max_failures=1.0))
    except TooManyFailures:
        pass  # every instant of the batch failed
    except Exception as error:
        outcome.wrong.append(f"{kind}: the stage ended in {type(error).__name__}: {str(error)[-400:]}")
        return
    if time.monotonic() - before > 2 * _TIMEOUT_S * mutants:
        outcome.wrong.append(f"{kind}: the stage hung")
    _compare(kind, decode, good, {name: _own_frames(videos / name) for name in names}, outcome)


def _own_frames(path: Path) -> list[Path]:
    """The files that FFmpeg alone decodes for a video; a tar is unpacked beside it."""
    if path.suffix != ".tar":
        return sorted(path.iterdir()) if path.is_dir() else [path]
    place = path.with_suffix("")
    place.mkdir(exist_ok=True)
    try:
        with tarfile.open(path, "r:") as archive:
            archive.extractall(place, filter=lambda member, to: member if member.isreg() else None)
    except (tarfile.TarError, OSError, ValueError):
        pass  # what was unpacked until then counts
    return sorted(file for file in place.rglob("*") if file.is_file())


def _compare(kind: str, decode: DecodeStage, good: Path, own: dict[str, list[Path]], outcome: Outcome) -> None:
    shards = [path for path in sorted(decode.folder.glob("part-*.parquet")) if path.name.count(".") == 1]
    shown = _decoded_plainly({**own, "good": _own_frames(good)})
    for row in (row for path in shards for row in read_rows(path).to_pylist()):
        name = row["video_id"]
        outcome.frames += 1
        if digest(row["jpeg"]) not in shown[name][0]:
            if row["pts"] in shown[name][2]:
                outcome.undefined += 1
            elif shown[name][1] < shown["good"][1]:
                outcome.beside_gaps += 1
            else:
                outcome.wrong.append(f"{kind} {name}: the frame at pts {row['pts']} is not one of FFmpeg's")
    _account(kind, shards, list(own), outcome)


def _decoded_plainly(files: dict[str, list[Path]]) -> dict[str, tuple[set[str], int, set[int]]]:
    """Decode videos by FFmpeg alone: name → digests of its frames, number of packets, pts of undefined frames."""
    tasks = [((name, file), (str(file), _PLAN.quality)) for name, there in files.items() for file in there]
    found: dict[str, tuple[set[str], int, set[int]]] = {name: (set(), 0, set()) for name in files}
    for done in run_killable(decode_plainly, tasks, workers=2, timeout_s=_TIMEOUT_S, reason_of=any_reason):
        frames, packets, undefined = found[done.task_id[0]]
        if done.value is not None:
            more = done.value
            found[done.task_id[0]] = frames | more[0], packets + more[1], undefined | more[2]
    return found


def _account(kind: str, shards: list[Path], names: list[str], outcome: Outcome) -> None:
    """Check that each instant has a frame or a failure row."""
    made, failed, lost = Counter[str](), Counter[str](), Counter[str]()
    for path in shards:
        for row in read_rows(side_path(path, "clip_frames")).to_pylist():
            made[row["video_id"]] += 1
        for row in read_rows(side_path(path, "failures")).to_pylist():
            outcome.reasons[row["reason"]] += row["rows"]
            (failed if row["pts"] is None else lost)[row["video_id"]] += row["rows"]
            if row["reason"] in _NEVER or not row["error"]:
                outcome.wrong.append(f"{kind} {row['video_id']}: {row['reason']}: {row['error']}")
    for name in names:
        outcome.mutants += 1
        outcome.unreadable += not made[name]
        without = _PLAN.segments - made[name] - failed[name]
        # A lost frame may be that of several instants.
        if without < 0 or (without > 0) != (lost[name] > 0) or lost[name] > without:
            outcome.wrong.append(f"{kind} {name}: {made[name]} made, {failed[name]} failed and {lost[name]} lost of 6")


@contextmanager
def peaks(folder: Path) -> Iterator[Callable[[], int]]:
    """Let the workers note their peaks of memory; gives a function that returns the largest, in MiB."""
    file = folder / "peaks"
    file.write_text("0\n")
    # Arrow's usual allocator reserves 1 GiB at once, which would be all that a worker may take.
    with mock.patch.dict(os.environ, {PEAKS: str(file), "ARROW_DEFAULT_MEMORY_POOL": "system"}):
        yield lambda: max(map(int, file.read_text().split()))


_ABOUT = (
    "Self-made videos, folders and tars of pictures, and chunks are damaged: bytes are flipped, overwritten, cut, "
    "dropped or inserted, anywhere or in the header. `xmic prepare` finds them, and the decode stage decodes six "
    "instants of each, in workers that may take 1 GiB. Each stored frame must be one of those that FFmpeg alone "
    "decodes from the same file. Each instant without a frame must have a failure row with a reason. No worker may "
    "hang, die or run out of memory, and no call may end in a traceback.",
    "xmic skips frames to which no other refers. Where the damage removed whole packets and no decoder notices it, "
    "FFmpeg fills the gap otherwise then: such frames are counted as “beside a gap”. Of some frames FFmpeg leaves "
    "blocks unwritten without a word. They show what the buffer held before, which differs from one reader to the "
    "next: these are “undefined”, known by decoding into buffers that are used again and into new ones. That a stored "
    "frame is one of FFmpeg's does not mean that it is whole: see "
    "[videos and pictures](media.md#damage-that-no-decoder-reports).",
)


def main() -> None:
    """Run all kinds and print their counts."""
    given = page.mutant_arguments(__doc__, 1_000)
    kinds = [kind for kind in KINDS if given.only in kind]
    folder, rows, wrong, reasons = Path(tempfile.mkdtemp(prefix="media-")), [], [], Counter[str]()
    with peaks(folder) as peak:
        for number, kind in enumerate(kinds):
            found = run_kind(kind, -(-given.mutants // len(kinds)), given.seed, folder / str(number))
            words = ", ".join(f"{count} {reason}" for reason, count in found.reasons.most_common())
            counts = [
                found.mutants,
                found.frames,
                found.beside_gaps,
                found.undefined,
                found.unreadable,
                sum(found.reasons.values()),
            ]
            rows.append([kind, *counts, words])
            reasons.update(found.reasons)
            wrong += found.wrong
            print(*rows[-1], f"wrong {len(found.wrong)}", f"peak {peak()} MiB", flush=True)
        most = peak()
    totals = [sum(int(row[column]) for row in rows) for column in range(1, 7)]
    rows.append(["all", *totals, ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())])
    if given.write:
        command = f"python -m tests.reliability.media --mutants {given.mutants} --seed {given.seed}"
        summary = f"{totals[0]} mutants; wrong: {len(wrong)}. A worker took {most} MiB at most."
        head = [
            "kind",
            "mutants",
            "frames",
            "beside a gap",
            "undefined",
            "mutants without",
            "failed instants",
            "reasons",
        ]
        page.record("media", page.Found("Videos and pictures", _ABOUT, command, summary, head, rows, wrong))
    if wrong:
        sys.exit("\n".join([*wrong, f"files in {folder}"]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
