"""Label a user's pictures with a teacher, which is a detector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.progress import Progress
from pipelines.hands.detector import Box, Detector
from pipelines.hands.finetune.datasets import SIDED, FilePictures
from pipelines.hands.labelled import picture_files, read_picture

LABELS = "teacher.jsonl"


@dataclass(frozen=True)
class Taught:
    """Pictures that a teacher labelled, and the numbers of those left out.

    Attributes:
        pictures: the pictures in which the teacher is sure of every hand that it sees.
        unsure: number of pictures left out because a box has too low a score.
        without: number of pictures left out because they have no box.
    """

    pictures: FilePictures
    unsure: int
    without: int


def taught_pictures(folder: Path, teacher: Detector, least: float, work: Path, progress: Progress) -> Taught:
    """Label the pictures of a folder by a teacher.

    A picture counts if it has a box and none of a score under ``least``. One without a box is left out: a teacher that
    misses half of the hands would teach that there are none.

    The boxes are kept in ``work/teacher.jsonl``, by the sha256 of their picture. After a stop, only pictures without an
    entry are looked at.

    Args:
        folder: pictures, in subfolders too.
        teacher: gives every hand its side.
        least: least score of a label.
        work: folder of the boxes.
        progress: notified of the pictures.

    Raises:
        InputError: no picture counts, or one cannot be read.
    """
    files = picture_files(folder)
    work.mkdir(parents=True, exist_ok=True)
    known = _read(work / LABELS, teacher.slug)
    labelled, unsure, without = [], 0, 0
    progress.start("label", len(files), "pictures")
    with (work / LABELS).open("a", encoding="utf-8") as kept:
        # The line that a stop tore in two ends here.
        kept.write("\n" if known.torn else "")
        for file in files:
            sha256 = whole_file_sha256(file)
            if sha256 not in known.boxes:
                known.boxes[sha256] = teacher.detect([read_picture(file)])[0]
                kept.write(_line(teacher.slug, sha256, known.boxes[sha256]))
                kept.flush()
            boxes = known.boxes[sha256]
            sure = [box for box in boxes if box.score >= least]
            if not boxes:
                without += 1
            elif len(sure) < len(boxes):
                unsure += 1
            else:
                classes = tuple(("left", "right").index(str(box.side)) for box in sure)
                labelled.append((file, classes, tuple((box.x0, box.y0, box.x1, box.y1) for box in sure)))
            progress.advance()
    progress.finish()
    if not labelled:
        raise InputError(
            f"{folder}: in none of {len(files)} pictures {teacher.slug} finds hands with scores of {least:g} or more "
            f"only ({without} have no box). Give other pictures or a lower --teacher-score, or label some yourself."
        )
    return Taught(FilePictures(SIDED, tuple(labelled)), unsure, without)


@dataclass(frozen=True)
class _Known:
    boxes: dict[str, list[Box]]
    torn: bool


def _read(file: Path, slug: str) -> _Known:
    text = file.read_text("utf-8") if file.is_file() else ""
    boxes = {}
    for line in text.splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # torn by a stop: its picture is looked at again
        if entry["teacher"] == slug:
            boxes[entry["picture"]] = [Box(**box) for box in entry["boxes"]]
    return _Known(boxes, bool(text) and not text.endswith("\n"))


def _line(slug: str, sha256: str, boxes: Sequence[Box]) -> str:
    return json.dumps({"teacher": slug, "picture": sha256, "boxes": [vars(box) for box in boxes]}) + "\n"
