"""Read frames that were labelled by hand.

The labels are a table of boxes beside its videos or pictures, or YOLO's text files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_manifests.errors import InputError
from data_manifests.readers.csv_files import read_csv
from data_manifests.readers.table_cells import whole_number_name
from data_manifests.readers.text_files import text_of
from pipelines.decode.container import errors_of, open_stream
from pipelines.decode.media_rules import USUAL
from pipelines.decode.picture_size import stated_size
from pipelines.hands.box_rows import ROUNDING
from pipelines.hands.scoring import Truth

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_COLUMNS = ("clip", "frame", "x0", "y0", "x1", "y1")


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """Frame with its name and its true hands.

    ``rgb`` is uint8 ``[H, W, 3]`` RGB.
    """

    name: str
    rgb: np.ndarray
    truth: Truth


def labelled_frames(frames: Path, labels: Path) -> Iterator[LabelledFrame]:
    """Read the labelled frames of a folder.

    Args:
        frames: folder of videos or pictures.
        labels: a table (.csv) with the columns clip (a file in ``frames``), frame (its number, from 0, as displayed),
            x0, y0, x1, y1 (shares of the frame; all empty in a row of a frame without hands). The column difficult
            (0 or 1) is optional. Or a folder with one YOLO text file (class, centre x, centre y, width, height) per
            picture, where a picture without a file has no hands.

    Raises:
        InputError: a file is missing or not of this form.
    """
    if labels.is_dir():
        yield from _from_texts(frames, labels)
        return
    by_clip: dict[str, dict[int, list[tuple[list[float], bool]]]] = {}
    for clip, number, box, difficult in _rows(labels):
        of_frame = by_clip.setdefault(clip, {}).setdefault(number, [])
        if box:
            of_frame.append((box, difficult))
    for clip, numbers in by_clip.items():
        for number, rgb in _frames_of(frames / clip, set(numbers)):
            boxes = numbers[number]
            truth = _truth([box for box, _ in boxes], [difficult for _, difficult in boxes])
            yield LabelledFrame(f"{clip} frame {number}", rgb, truth)


def picture_files(folder: Path) -> list[Path]:
    """List the pictures in a folder and its subfolders, sorted.

    Raises:
        InputError: the folder has no pictures.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise InputError(f"{folder}: no pictures ({', '.join(PICTURES)}) in it.")
    return found


def read_picture(path: Path) -> np.ndarray:
    """Read a picture file.

    Returns:
        uint8 ``[H, W, 3]`` RGB.

    Raises:
        InputError: the file cannot be read as a picture.
    """
    try:
        USUAL.refuse_size(str(path), *(stated_size(path.read_bytes()) or (0, 0)))
    except OSError as error:
        raise InputError(f"{path}: not a picture that can be read ({error.strerror or error}).") from None
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        raise InputError(f"{path}: not a picture that can be read.")
    return np.asarray(cv2.cvtColor(np.asarray(read), cv2.COLOR_BGR2RGB))


def read_yolo_text(path: Path) -> tuple[list[int], list[list[float]]]:
    """Read the classes and boxes of a YOLO text file.

    Corners are shares of the picture's sides, cut to the picture.

    Raises:
        InputError: a line is not five numbers, or its centre or size is not a share.
    """
    classes, boxes = [], []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            kind, *shares = (float(value) for value in line.split())
            x, y, width, height = (_at_the_edge(share) for share in shares)
        except ValueError:
            raise InputError(f"{path}, line {number}: {line!r:.60}; expected class, x, y, width, height.") from None
        if not (all(0 <= value <= 1 for value in (x, y, width, height)) and kind >= 0 and kind.is_integer()):
            raise InputError(f"{path}, line {number}: {line!r:.60}; expected a class number and shares of the picture.")
        classes.append(int(kind))
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        boxes.append([min(max(value, 0.0), 1.0) for value in corners])
    return classes, boxes


def _from_texts(frames: Path, labels: Path) -> Iterator[LabelledFrame]:
    pictures = picture_files(frames)
    texts = {path: labels / path.relative_to(frames).with_suffix(".txt") for path in pictures}
    if not any(text.is_file() for text in texts.values()):
        raise InputError(
            f"{labels}: no text file of a picture in {frames}; expected {next(iter(texts.values())).name}."
        )
    for path, text in texts.items():
        boxes = read_yolo_text(text)[1] if text.is_file() else []
        yield LabelledFrame(str(path.relative_to(frames)), read_picture(path), _truth(boxes, [False] * len(boxes)))


def _truth(boxes: list[list[float]], difficult: list[bool]) -> Truth:
    return Truth(np.array(boxes, np.float64).reshape(-1, 4), np.array(difficult, bool))


def _rows(labels: Path) -> Iterator[tuple[str, int, list[float], bool]]:
    if not labels.is_file():
        raise InputError(f"{labels}: no such table (.csv) and no such folder of text files.")
    rows = read_csv(labels)
    columns = [name.strip() for name in next(rows, (1, []))[1]]
    if not set(_COLUMNS) <= set(columns):
        raise InputError(f"{labels}: found the columns {', '.join(columns)}; expected {', '.join(_COLUMNS)}.")
    for place, cells in rows:
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        texts = [row[name] for name in _COLUMNS[2:]]
        try:
            number = int(whole_number_name(row["frame"]))
            box = [_at_the_edge(float(text)) for text in texts] if any(texts) else []
        except ValueError:
            found = ", ".join(f"{name} {row[name]!r}" for name in _COLUMNS[1:])
            raise InputError(f"{labels}, row {place}: frame or corners are no numbers: {found}.") from None
        inside = not box or (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1)
        difficult = whole_number_name(row.get("difficult") or "0")
        if number < 0 or not inside or difficult not in ("0", "1"):
            found = ", ".join(f"{name} {row[name]!r}" for name in (*_COLUMNS[1:], "difficult") if name in row)
            raise InputError(
                f"{labels}, row {place}: expected a frame of 0 or more, 0 ≤ x0 < x1 ≤ 1, 0 ≤ y0 < y1 ≤ 1, and a "
                f"difficult of 0 or 1; found {found}."
            )
        yield row["clip"], number, box, difficult == "1"


def _at_the_edge(share: float) -> float:
    """Set a share that rounding left outside of the picture to its edge."""
    nearest = min(max(share, 0.0), 1.0)
    return nearest if abs(share - nearest) <= ROUNDING else share


def _frames_of(file: Path, numbers: set[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Read some frames of a video, in its order.

    A picture is its own frame 0.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such video or picture, but there are labels of it.")
    left = set(numbers)
    if file.suffix.lower() in PICTURES:
        if 0 in left:
            left.remove(0)
            yield 0, read_picture(file)
    else:
        container, stream = open_stream(file)
        with container, errors_of(file):
            for number, frame in enumerate(container.decode(stream)):
                if number in left:
                    left.remove(number)
                    yield number, frame.to_ndarray(format="rgb24")
                if not left:
                    return
    if left:
        raise InputError(f"{file}: has no frame {min(left)}, but there are labels of it.")
