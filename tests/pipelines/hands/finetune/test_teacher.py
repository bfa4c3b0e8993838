from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.engine.progress import Silent
from pipelines.hands.detector import Box, DetectorIdentity
from pipelines.hands.finetune.teacher import LABELS, taught_pictures

HAND = Box(0.1, 0.2, 0.5, 0.6, 0.9, "right")
FAINT = Box(0.6, 0.2, 0.9, 0.6, 0.3, "left")


class Teacher:
    """Finds the boxes that are planned for a picture's grey level."""

    def __init__(self, slug: str = "teacher-12345678", **planned: list[Box]) -> None:
        self.slug, self.provenance = slug, {"detector": "teacher"}
        self.planned, self.seen = planned, 0

    @classmethod
    def describe(cls, **options: Any) -> DetectorIdentity:
        return DetectorIdentity("teacher-12345678", {}, {})

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Box]]:
        self.seen += len(images)
        return [self.planned[f"grey{image[0, 0, 0]}"] for image in images]


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    for number, grey in enumerate((10, 20, 30)):
        path = tmp_path / "frames" / "P01" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((20, 40, 3), grey, np.uint8))
    return tmp_path / "frames"


def test_pictures_without_a_hand_and_with_a_faint_one_are_left_out(frames: Path, tmp_path: Path) -> None:
    teacher = Teacher(grey10=[HAND], grey20=[], grey30=[HAND, FAINT])
    found = taught_pictures(frames, teacher, 0.5, tmp_path / "work", Silent())
    assert (len(found.pictures), found.unsure, found.without) == (1, 1, 1)
    assert found.pictures.names == ("left hand", "right hand")
    rgb, boxes, classes = found.pictures.read(0)
    assert (rgb[0, 0, 0], classes.tolist()) == (10, [1])
    assert boxes == pytest.approx(np.array([[0.1, 0.2, 0.5, 0.6]]))


def test_a_lower_score_takes_the_faint_one_without_a_second_look(frames: Path, tmp_path: Path) -> None:
    teacher = Teacher(grey10=[HAND], grey20=[], grey30=[HAND, FAINT])
    work = tmp_path / "work"
    strict = taught_pictures(frames, teacher, 0.5, work, Silent())
    loose = taught_pictures(frames, teacher, 0.1, work, Silent())
    assert (len(loose.pictures), loose.unsure, teacher.seen) == (2, 0, 3)
    assert loose.pictures.read(1)[2].tolist() == [1, 0]
    assert loose.pictures.digest != strict.pictures.digest


def test_after_a_stop_only_pictures_without_an_entry_are_looked_at(frames: Path, tmp_path: Path) -> None:
    planned = {"grey10": [HAND], "grey20": [HAND, FAINT], "grey30": [FAINT]}
    work = tmp_path / "work"
    whole = taught_pictures(frames, Teacher(**planned), 0.1, work, Silent())
    text = (work / LABELS).read_text()
    first, second, _ = text.splitlines(keepends=True)
    (work / LABELS).write_text(first + second[:30])
    again = Teacher(**planned)
    resumed = taught_pictures(frames, again, 0.1, work, Silent())
    assert (again.seen, resumed.pictures.digest) == (2, whole.pictures.digest)
    done = Teacher(**planned)
    assert taught_pictures(frames, done, 0.1, work, Silent()).pictures.digest == whole.pictures.digest
    assert done.seen == 0


def test_another_teacher_looks_again(frames: Path, tmp_path: Path) -> None:
    planned = {"grey10": [HAND], "grey20": [HAND], "grey30": [HAND]}
    taught_pictures(frames, Teacher(**planned), 0.1, tmp_path / "work", Silent())
    other = Teacher(slug="teacher-87654321", **planned)
    taught_pictures(frames, other, 0.1, tmp_path / "work", Silent())
    assert other.seen == 3


def test_pictures_without_a_sure_hand_are_refused_with_what_to_do(frames: Path, tmp_path: Path) -> None:
    teacher = Teacher(grey10=[], grey20=[FAINT], grey30=[])
    with pytest.raises(InputError, match=r"in none of 3 pictures .* 0\.5 or more only \(2 have no box\)"):
        taught_pictures(frames, teacher, 0.5, tmp_path / "work", Silent())
