from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.engine.progress import Silent
from pipelines.predict import EmbeddedFootage, Predictor
from pipelines.predict.annotate import annotate
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


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def green(picture: np.ndarray) -> int:
    """Pixels that are as green as hand boxes are."""
    red, middle, blue = np.moveaxis(picture[:96].astype(int), 2, 0)
    return int(((middle > red + 60) & (middle > blue + 40)).sum())


@pytest.mark.parametrize("codecs", [("libx264", "mpeg4"), ("no such codec", "mpeg4")])
def test_every_frame_is_there_at_its_time_with_boxes_where_there_is_a_clip(
    seen: tuple[Predictor, EmbeddedFootage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codecs: tuple[str, str]
) -> None:
    import pipelines.predict.annotate as module

    settings = dict(module._ENCODINGS)
    monkeypatch.setattr(module, "_ENCODINGS", tuple((name, settings.get(name, {})) for name in codecs))
    predictor, footage = seen
    (made,) = annotate(footage, predictor.predict(footage), tmp_path, Silent())
    assert made.name == "b.mp4.annotated.mp4"
    shown = frames(made)
    assert [time for time, _ in shown] == pytest.approx([n / 15 for n in range(30)], abs=0.001)
    assert shown[0][1].shape[0] > 96
    counts = [green(picture) for _, picture in shown]
    assert min(counts[2:15]) > 4 * max(counts[:2] + counts[15:]), counts


def test_a_video_that_can_not_be_read_is_told_and_leaves_no_file(
    seen: tuple[Predictor, EmbeddedFootage], tmp_path: Path
) -> None:
    notes: list[str] = []

    class Told(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    predictor, footage = seen
    annotate(footage, predictor.predict(footage), tmp_path, Told())
    (path,) = (item for item in tmp_path.rglob("*") if item.is_file())
    assert path.name.startswith("b.mp4")
    (line,) = (note for note in notes if "broken.mp4" in note)
    assert "not drawn (not_a_video: " in line
