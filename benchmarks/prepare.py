"""How long the manifest of an annotation as large as EPIC-KITCHENS-100's train split takes, and how much memory.

    python benchmarks/prepare.py [--annotations FOLDER] [--quick]

Repeats rows under new ids until there are 67,217 of them, those of FOLDER/EPIC_100_validation.csv or, without one,
rows it makes itself, and runs ``xmic prepare epic`` on them as a process of its own. Prints seconds, peak memory, and
the ratio to what Python takes to read the same csv and do nothing with it; machines are noisy, so quote the ratio.
"""

from __future__ import annotations

import argparse
import csv
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

ROWS = 67_217
SOURCE = "EPIC_100_validation.csv"
CLASSES = ("EPIC_100_noun_classes.csv", "EPIC_100_verb_classes.csv")
COLUMNS = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
).split(",")
PER_VIDEO = 136


def make_annotations(folder: Path) -> None:
    """Class files and a validation csv of our own, in the official grammar."""
    for name, count in zip(CLASSES, (300, 97), strict=True):
        with (folder / name).open("w", newline="", encoding="utf-8") as lines:
            writer = csv.writer(lines, lineterminator="\r\n")
            writer.writerow(["id", "key", "instances", "category"])
            writer.writerows([number, f"thing{number}", f"['thing{number}']", "things"] for number in range(count))
    with (folder / SOURCE).open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        for number in range(2000):
            start, noun, other = 3 * (number % PER_VIDEO), number % 300, number * 7 % 300
            both = number % 10 == 0
            cells = [
                f"P01_01_{number}", "P01", "P01_01", "00:00:01.250",
                f"00:{start // 60:02d}:{start % 60:02d}.50", f"00:{(start + 4) // 60:02d}:{(start + 4) % 60:02d}.25",
                60 * start + 30, 60 * start + 255, f"move thing{noun}", f"thing{number % 97}", number % 97,
                f"thing{noun}", noun,
                f"['thing{noun}', 'thing{other}']" if both else f"['thing{noun}']",
                f"[{noun}, {other}]" if both else f"[{noun}]",
            ]  # fmt: skip
            writer.writerow(dict(zip(COLUMNS, cells, strict=True)))


def repeat_rows(source: Path, target: Path, rows: int) -> None:
    """A train csv of so many rows under new narration and video ids."""
    with source.open(newline="", encoding="utf-8") as lines, target.open("w", newline="", encoding="utf-8") as out:
        reader = csv.DictReader(lines)
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        for number, row in enumerate(islice(cycle(list(reader)), rows)):
            video = number // PER_VIDEO
            video_id = f"P{video // 90 + 1:02d}_{video % 90 + 1:02d}"
            ids = {"narration_id": f"{video_id}_{number}", "video_id": video_id, "participant_id": video_id[:3]}
            writer.writerow(row | ids)


def read_only(file: Path) -> float:
    """Seconds to read the csv and do nothing with it."""
    start = time.perf_counter()
    with file.open(newline="", encoding="utf-8") as lines:
        assert sum(1 for _ in csv.DictReader(lines)) > 0
    return time.perf_counter() - start


def prepare(annotations: Path, workspace: Path) -> float:
    """Seconds of a whole ``xmic prepare epic``, interpreter and imports included."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "xmic_cli", "prepare", "epic", "--annotations", str(annotations)]
    done = subprocess.run([*command, "-w", str(workspace)], check=True, capture_output=True, text=True)
    assert " 0 rejected rows" in done.stdout, done.stdout
    return time.perf_counter() - start


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, help="a clone of epic-kitchens-100-annotations")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and one round")
    options = parser.parse_args()
    rows, rounds = (ROWS // 10, 1) if options.quick else (ROWS, 5)
    with tempfile.TemporaryDirectory() as name:
        source, folder = Path(name) / "source", Path(name) / "csv"
        source.mkdir()
        folder.mkdir()
        if options.annotations is None:
            make_annotations(source)
        source = options.annotations or source
        for file in CLASSES:
            shutil.copy(source / file, folder / file)
        train = folder / "EPIC_100_train.csv"
        repeat_rows(source / SOURCE, train, rows)
        times, ratios = [], []
        for turn in range(rounds):
            plain_s = read_only(train)
            times.append(prepare(folder, Path(name) / f"work{turn}"))
            ratios.append(times[-1] / plain_s)
            print(f"prepare {times[-1]:.2f} s, reading the csv alone {plain_s:.2f} s: {ratios[-1]:.1f} times")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{rows} rows, median of {rounds}: {statistics.median(times):.2f} s, {statistics.median(ratios):.1f} times "
        f"reading the csv; peak memory {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
