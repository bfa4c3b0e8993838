from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.hands import model_file
from pipelines.hands.detector import Box, describe_detector, load_detector

OWN = """
from pipelines.hands.detector import Box, DetectorIdentity

class Corner:
    def __init__(self, score=0.5):
        self.score = score
        self.slug, self.provenance = "corner-12345678", {"score": score}

    @classmethod
    def describe(cls, **options):
        return DetectorIdentity("corner-12345678", {"score": cls(**options).score}, {})

    def detect(self, images):
        return [[Box(0, 0, 0.5, 0.5, self.score)] for _ in images]
"""


@pytest.mark.parametrize(
    "corners",
    [(12.0, 0.1, 30.0, 0.5), (0.6, 0.1, 0.5, 0.5), (0.1, 0.6, 0.5, 0.5), (-0.1, 0, 1, 1), (float("nan"), 0, 1, 1)],
)
def test_a_box_that_is_not_normalised_is_refused_with_its_numbers(corners: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="Not a normalised box") as error:
        Box(*corners, score=0.5)
    assert "divide pixel coordinates by the frame's width and height" in str(error.value)
    assert str(corners[0]) in str(error.value)


def test_a_score_outside_0_and_1_is_refused() -> None:
    with pytest.raises(InputError, match=r"with score 1\.5"):
        Box(0, 0, 1, 1, score=1.5)


def test_an_offset_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"Not an offset: \(nan, 0\.0\)"):
        Box(0, 0, 1, 1, 0.9, contact=True, offset_x=float("nan"), offset_y=0.0)


def test_a_box_is_a_hand_of_unknown_side_and_contact_unless_said() -> None:
    box = Box(0, 0, 1, 1, 0.9)
    assert (box.side, box.kind, box.contact, box.offset_x, box.offset_y) == (None, "hand", None, None, None)


def test_a_users_own_detector_is_loaded_and_described_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_detector.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert describe_detector("own_detector:Corner", score=0.25).provenance == {"score": 0.25}
    found = load_detector("own_detector:Corner", score=0.25).detect([None, None])  # type: ignore[list-item]
    assert found == [[Box(0, 0, 0.5, 0.5, 0.25)]] * 2


def test_an_unknown_detector_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(
        UsageError, match=r"no detector 'yollo'. Did you mean 'yolo'\? Known: boxes, epic-100doh, mediapipe, yolo\."
    ):
        load_detector("yollo")


def test_a_misspelt_name_of_imported_boxes_is_answered_with_the_right_one() -> None:
    with pytest.raises(UsageError, match=r"There is no detector 'epic-100do'. Did you mean 'epic-100doh'\?"):
        describe_detector("epic-100do")


@pytest.mark.parametrize("call", [load_detector, describe_detector])
def test_yolo_without_weights_names_the_option_where_no_model_comes_with_xmic(
    call: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "PACKAGED", tmp_path / "hands.safetensors")
    with pytest.raises(UsageError, match="--weights is missing: name an Ultralytics detection model"):
        call("yolo")  # type: ignore[operator]


def test_planning_modules_import_no_torch() -> None:
    code = (
        "import sys, pipelines.hands.detector, pipelines.hands.crops, pipelines.embed.encoders.spec, "
        "pipelines.embed.encoders, pipelines.engine.precision; "
        "print([m for m in ('torch', 'cv2', 'ultralytics', 'open_clip', 'timm') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
