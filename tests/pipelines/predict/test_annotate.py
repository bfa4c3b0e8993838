from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.engine.progress import Silent
from pipelines.predict import EmbeddedFootage, Predictor
from pipelines.predict.annotate import annotate, enlarged, stem_of
from tests.pipelines.kitchen_world import Kitchen


@pytest.fixture(scope="module")
def seen(kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, EmbeddedFootage]:
    """A good and a broken video; of the good one the first second."""
    folder = tmp_path_factory.mktemp("seen")
    (folder / "broken.mp4").write_bytes(b"no")
    (folder / "segments.csv").write_text("video,start,stop\nb,0,1\nbroken,0,1\n")
    predictor = kitchen.load()
    videos = [kitchen.video("b.mp4"), folder / "broken.mp4"]
    return predictor, predictor.embed(videos, segments=folder / "segments.csv", cache=folder / "cache")


class Told(Silent):
    """Keeps what a user is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.total = self.done = 0

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self.total, self.done = total, 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def note(self, text: str) -> None:
        self.notes.append(text)


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def green(picture: np.ndarray) -> int:
    """Pixels that are as green as hand boxes are."""
    red, middle, blue = np.moveaxis(picture[:360].astype(int), 2, 0)
    return int(((middle > red + 60) & (middle > blue + 40)).sum())


@pytest.mark.parametrize("codecs", [("libx264", "mpeg4"), ("no such codec", "mpeg4")])
def test_every_frame_is_there_at_its_time_with_boxes_where_there_is_a_clip(
    seen: tuple[Predictor, EmbeddedFootage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codecs: tuple[str, str]
) -> None:
    import pipelines.predict.annotate as module

    settings = dict(module._ENCODINGS)
    monkeypatch.setattr(module, "_ENCODINGS", tuple((name, settings.get(name, {})) for name in codecs))
    predictor, footage = seen
    film, sheet, *subtitles = annotate(footage, predictor.predict(footage), tmp_path, Silent())
    assert [path.name for path in (film, sheet, *subtitles)] == ["b.annotated.mp4", "b.contact.jpg", "b.srt", "b.vtt"]
    shown = frames(film)
    assert [time for time, _ in shown] == pytest.approx([n / 15 for n in range(30)], abs=0.001)
    assert shown[0][1].shape[0] > 96
    counts = [green(picture) for _, picture in shown]
    assert min(counts[2:15]) > 4 * max(counts[:2] + counts[15:]), counts
    assert subtitles[0].read_text().startswith("1\n00:00:00,000 --> 00:00:01,000\nnoun: ")


def test_letters_that_no_font_has_are_named_once(
    seen: tuple[Predictor, EmbeddedFootage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def without_font(words: Iterable[str]) -> dict[str, str]:
        looked.extend(words)
        return {"Noto Sans CJK": "切る鍋鉄瓶煮込料理"}

    monkeypatch.setattr("pipelines.predict.annotate.without_font", without_font)
    predictor, footage = seen
    answers = predictor.predict(footage)
    told = Told()
    annotate(footage, answers, tmp_path, told)
    (line,) = (note for note in told.notes if "font" in note)
    assert line.startswith("no font here has 切 る 鍋 鉄 瓶 煮 込 料 and 1 more: drawn as boxes. Install Noto Sans CJK")
    assert {*answers.names["noun"], *answers.names["verb"]} <= set(looked)


def test_a_video_that_can_not_be_read_is_told_and_leaves_no_file(
    seen: tuple[Predictor, EmbeddedFootage], tmp_path: Path
) -> None:
    predictor, footage = seen
    told = Told()
    annotate(footage, predictor.predict(footage), tmp_path, told)
    assert {item.name.split(".")[0] for item in tmp_path.rglob("*") if item.is_file()} == {"b"}
    (line,) = (note for note in told.notes if "broken.mp4" in note)
    assert "not drawn (not_a_video: " in line
    assert not any("hands" in note for note in told.notes)
    assert (told.done, told.total) == (2, 2)  # the seconds of the other video


def test_true_labels_change_the_film_and_no_answer(kitchen: Kitchen, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("start_s,stop_s,verb,noun\n0:00,0:01.5,cut,bread\n")
    predictor = kitchen.load(kitchen.zero_shot)
    heights = []
    for name, given in (("without", None), ("with", truth)):
        footage = predictor.embed([kitchen.video("b.mp4")], truth=given, cache=tmp_path / "cache")
        film, *_ = annotate(footage, predictor.predict(footage), tmp_path / name, Silent())
        heights.append(frames(film)[0][1].shape[0])
    assert heights[1] > heights[0] + 10
    assert footage.made == 0


def test_a_run_without_hands_says_so(kitchen: Kitchen, tmp_path: Path) -> None:
    predictor, told = kitchen.load(kitchen.zero_shot), Told()
    footage = predictor.embed([kitchen.video("b.mp4")], cache=tmp_path / "cache")
    annotate(footage, predictor.predict(footage), tmp_path, told)
    assert told.notes == ["no hands are drawn: this run does not look at hands"]


@pytest.mark.parametrize(
    ("size", "drawn"), [((192, 256), (384, 512)), ((360, 640), (360, 640)), ((99, 50), (792, 400))]
)
def test_a_small_picture_is_enlarged_so_that_text_can_be_read(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    assert enlarged(np.zeros((*size, 3), np.uint8)).shape == (*drawn, 3)


def test_videos_that_differ_only_in_their_ending_keep_it() -> None:
    ids = ["x/a.mp4", "x/a.mov", "x/b.mp4", "y/b.mp4"]
    assert [stem_of(video_id, dict.fromkeys(ids)) for video_id in ids] == ["x/a.mp4", "x/a.mov", "x/b", "y/b"]
