from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_manifests.errors import InputError
from pipelines.hands.finetune.datasets import teacher_boxes, yolo_dataset


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 40, 3), 70, np.uint8))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    picture(tmp_path / "images" / "train" / "a.jpg")
    picture(tmp_path / "images" / "train" / "b.jpg")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("names: {0: left hand, 1: right hand}\ntrain: images/train\n")
    return tmp_path / "data.yaml"


def test_a_yolo_dataset_is_read_as_ultralytics_reads_it(dataset: Path) -> None:
    found = yolo_dataset(dataset)
    assert (len(found), found.names) == (2, ("left hand", "right hand"))
    rgb, boxes, classes = found.read(0)
    assert rgb.shape == (20, 40, 3)
    assert (boxes.tolist(), classes.tolist()) == ([[0.25, 0.25, 0.75, 0.75]], [1])
    assert found.read(1)[1].shape == (0, 4)


def test_a_digest_holds_pictures_classes_and_boxes_but_no_paths(dataset: Path) -> None:
    root = dataset.parent
    whole = yolo_dataset(dataset).digest
    (root / "images" / "train" / "b.jpg").rename(root / "images" / "train" / "c.jpg")
    assert yolo_dataset(dataset).digest == whole
    text = root / "labels" / "train" / "a.txt"
    for line in ("0 0.5 0.5 0.5 0.5\n", "1 0.5 0.5 0.5 0.6\n"):
        text.write_text(line)
        assert yolo_dataset(dataset).digest != whole
    text.write_text("1 0.5 0.5 0.5 0.5\n")
    assert yolo_dataset(dataset).digest == whole
    cv2.imwrite(str(root / "images" / "train" / "c.jpg"), np.full((20, 40, 3), 90, np.uint8))
    assert yolo_dataset(dataset).digest != whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names: [hand]\n", "expected names"),
        ("train: images/train\n", "expected names"),
        ("names: [hand]\ntrain: none\n", "no folder of pictures"),
        ("names: [hand]\ntrain: images/train\n", r"a\.txt: class 1, but data\.yaml names 1"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_wrong_dataset_is_refused(dataset: Path, text: str, says: str) -> None:
    dataset.write_text(text)
    with pytest.raises(InputError, match=says):
        yolo_dataset(dataset)


def test_a_dataset_without_labels_is_refused(dataset: Path) -> None:
    (dataset.parent / "labels" / "train" / "a.txt").unlink()
    with pytest.raises(InputError, match="no picture has a label"):
        yolo_dataset(dataset)
    with pytest.raises(InputError, match="no such file"):
        yolo_dataset(dataset.with_name("none.yaml"))


def boxes(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["video,frame,x0,y0,x1,y1,score,side,kind", *rows]) + "\n")
    return path


def test_another_detectors_boxes_become_labels(tmp_path: Path) -> None:
    for number in (3, 4):
        picture(tmp_path / "P01" / f"frame_{number:010d}.jpg")
    table = boxes(
        tmp_path / "boxes.csv",
        "P01,4,0.1,0.1,0.5,0.5,0.9,left,hand",
        "P01,4,0.2,0.1,0.6,0.5,0.2,right,hand",
        "P01,4,0.2,0.1,0.6,0.5,0.9,,object",
        "P01,3,,,,,,,",
    )
    found = teacher_boxes(tmp_path, table, 0.5)
    assert (len(found), found.names) == (2, ("left hand", "right hand"))
    assert found.read(0)[1].shape == (0, 4)
    assert found.digest != teacher_boxes(tmp_path, table, 0.1).digest
    assert found.read(1)[1] == pytest.approx(np.array([[0.1, 0.1, 0.5, 0.5]]))


def test_boxes_without_sides_are_of_one_class(tmp_path: Path) -> None:
    picture(tmp_path / "P01" / "7.jpg")
    found = teacher_boxes(tmp_path, boxes(tmp_path / "boxes.csv", "P01,7,0.1,0.1,0.5,0.5,0.9,,"), 0.5)
    assert found.names == ("hand",)


def test_boxes_that_cannot_be_labels_are_refused(tmp_path: Path) -> None:
    table = boxes(tmp_path / "boxes.csv", "P01,7,0.1,0.1,0.5,0.5,0.9,,")
    with pytest.raises(InputError, match="no such folder"):
        teacher_boxes(tmp_path, table, 0.5)
    picture(tmp_path / "P01" / "8.jpg")
    with pytest.raises(InputError, match="no picture whose number is 7"):
        teacher_boxes(tmp_path, table, 0.5)
    with pytest.raises(InputError, match="no hand with a score of 0.95"):
        teacher_boxes(tmp_path, table, 0.95)
    table.write_text("video,time_s,x0,y0,x1,y1,score\nP01,0.5,0.1,0.1,0.5,0.5,0.9\n")
    with pytest.raises(InputError, match="time_s holds seconds; pictures have numbers"):
        teacher_boxes(tmp_path, table, 0.5)
