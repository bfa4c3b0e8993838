"""Read a user's pictures with boxes for training.

They are a YOLO-format dataset, or numbered JPEGs with the boxes of another detector.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml

from data_manifests.errors import InputError
from pipelines.engine.digest import digest_json, whole_file_sha256
from pipelines.engine.plain_errors import in_one_line
from pipelines.hands.box_rows import read_box_rows
from pipelines.hands.labelled import PICTURES, picture_files, read_picture, read_yolo_text

SIDED = ("left hand", "right hand")
"""Classes of labels that give the sides."""


@dataclass(frozen=True)
class FilePictures:
    """Labelled picture files, read as needed.

    They are :class:`pipelines.hands.finetune.pictures.Pictures`.

    Attributes:
        names: names of the classes.
        labelled: each file with its classes and its boxes, corners as shares of the picture's sides.
    """

    names: tuple[str, ...]
    labelled: tuple[tuple[Path, tuple[int, ...], tuple[tuple[float, ...], ...]], ...]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.labelled)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read one picture with its boxes and classes.

        :meth:`pipelines.hands.finetune.pictures.Pictures.read` gives the shapes.
        """
        path, classes, _ = self.labelled[index]
        return read_picture(path), self._boxes[index], np.array(classes, np.int64)

    @cached_property
    def digest(self) -> str:
        """Digest of the pictures, classes and boxes; file paths do not count."""
        return digest_json([[whole_file_sha256(path), classes, boxes] for path, classes, boxes in self.labelled])

    @cached_property
    def _boxes(self) -> list[np.ndarray]:
        return [np.array(boxes, np.float32).reshape(-1, 4) for _, _, boxes in self.labelled]


def yolo_dataset(file: Path) -> FilePictures:
    """List the training pictures of a YOLO-format dataset.

    Args:
        file: its YAML: names (a list, or a mapping from number to name), train (a folder of pictures), and path, the
            folder that train is in; by default that of the file. The text file of ``images/a.jpg`` is
            ``labels/a.txt``; a picture without one has no hands.

    Raises:
        InputError: the file does not describe such a dataset, or a label is wrong.
    """
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; expected the YAML of a YOLO-format dataset.") from None
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        raise InputError(f"{file}: cannot be read as YAML ({in_one_line(error)}).") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and names.keys() == set(range(len(names))):
        names = [names[number] for number in range(len(names))]
    if not (isinstance(names, list) and names and isinstance(content.get("train"), str)):
        raise InputError(f"{file}: expected names (a list of classes) and train (a folder of pictures).")
    folder = file.parent / str(content.get("path", "")) / content["train"]
    if not folder.is_dir():
        raise InputError(f"{file}: train is {folder}, which is no folder of pictures.")
    labelled = []
    for path in picture_files(folder):
        text = _text_of(path)
        classes, boxes = read_yolo_text(text) if text.is_file() else ([], [])
        if classes and max(classes) >= len(names):
            raise InputError(
                f"{text}: class {max(classes)}, but {file.name} names {len(names)} (0 to {len(names) - 1})."
            )
        labelled.append((path, tuple(classes), tuple(tuple(box) for box in boxes)))
    if not any(classes for _, classes, _ in labelled):
        raise InputError(f"{folder}: no picture has a label; expected text files such as {_text_of(labelled[0][0])}.")
    return FilePictures(tuple(str(name) for name in names), tuple(labelled))


def _text_of(picture: Path) -> Path:
    """Return the label file of a picture.

    The last folder named images becomes labels, as in Ultralytics.
    """
    parts = list(picture.parent.parts)
    for place in reversed(range(len(parts))):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts) / f"{picture.stem}.txt"


def teacher_boxes(folder: Path, file: Path, least: float) -> FilePictures:
    """Use another detector's boxes as labels.

    Args:
        folder: numbered JPEGs, ``folder/<video>/…<number>.jpg``.
        file: a table of boxes (:func:`pipelines.hands.box_rows.read_box_rows`) with the columns video and frame.
            Pictures of frames that it does not name are left out.
        least: least score of a box that is used.

    Raises:
        InputError: the table has times instead of numbers, no hand has the least score, or a picture is missing.
    """
    table = read_box_rows(file)
    if "frame" not in table.column_names:
        raise InputError(f"{file}: column time_s holds seconds; pictures have numbers. Give frame in its place.")
    rows = table.to_pylist()
    hands = [row for row in rows if row["x0"] is not None and row["score"] >= least and row["kind"] in (None, "hand")]
    if not hands:
        raise InputError(f"{file}: no hand with a score of {least:g} or more.")
    sided = all(row["side"] is not None for row in hands)
    boxes: dict[tuple[str, int], list[tuple[int, tuple[float, ...]]]] = {
        (row["video"], row["frame"]): [] for row in rows
    }
    for row in hands:
        number = ("left", "right").index(row["side"]) if sided else 0
        corners = tuple(float(row[name]) for name in ("x0", "y0", "x1", "y1"))
        boxes[row["video"], row["frame"]].append((number, corners))
    numbered = {video: _numbered(folder / video) for video in dict.fromkeys(video for video, _ in boxes)}
    labelled = []
    for (video, frame), found in sorted(boxes.items()):
        path = numbered[video].get(frame)
        if path is None:
            raise InputError(f"{folder / video}: no picture whose number is {frame}, but {file.name} has boxes of it.")
        labelled.append((path, tuple(number for number, _ in found), tuple(box for _, box in found)))
    return FilePictures(SIDED if sided else ("hand",), tuple(labelled))


def _numbered(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected the numbered pictures of a video that has boxes.")
    found = {}
    for path in folder.iterdir():
        number = re.search(r"(\d+)$", path.stem)
        if number and path.suffix.lower() in PICTURES:
            found[int(number[1])] = path
    return found
