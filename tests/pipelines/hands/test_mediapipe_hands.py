from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.hands import mediapipe_hands
from pipelines.hands.detector import describe_detector, load_detector
from pipelines.hands.mediapipe_hands import VERSION, box_of
from pipelines.hands.scoring import overlap
from tests.pipelines.hands.mediapipe_stand_in import install_stand_in, points_in, set_hands, settings_of_last

GREY = np.full((40, 80, 3), 90, np.uint8)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install_stand_in(tmp_path, monkeypatch)


def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)


def test_a_box_is_that_of_the_landmarks_grown_by_a_tenth_on_each_side() -> None:
    found = box_of(np.array(points_in(0.4, 0.2, 0.6, 0.7)))
    assert found == pytest.approx((0.38, 0.15, 0.62, 0.75))


def test_a_box_ends_at_the_frame_and_one_outside_is_none() -> None:
    assert box_of(np.array(points_in(-0.2, 0.5, 0.3, 1.4))) == pytest.approx((0.0, 0.41, 0.35, 1.0))
    assert box_of(np.array(points_in(1.3, 0.2, 1.6, 0.7))) is None


def test_each_hand_has_the_score_of_its_own_palm_and_the_side_that_it_is_seen_from(models: Path) -> None:
    set_hands(("Left", 0.3, points_in(0.1, 0.1, 0.3, 0.5)), ("Right", 0.7, points_in(0.5, 0.5, 0.7, 0.9)))
    detector = load_detector("mediapipe")
    (boxes,) = detector.detect([GREY])
    # MediaPipe names the sides of a mirrored picture.
    assert [(box.score, box.side, box.kind) for box in boxes] == [(0.7, "left", "hand"), (0.3, "right", "hand")]
    assert (boxes[0].x0, boxes[0].y0, boxes[0].x1, boxes[0].y1) == pytest.approx((0.48, 0.46, 0.72, 0.94))


def test_pictures_are_looked_at_one_by_one_and_a_hand_outside_is_dropped(models: Path) -> None:
    set_hands(("Left", 0.3, points_in(1.1, 0.1, 1.3, 0.5)), ("Right", 0.7, points_in(0.5, 0.5, 0.7, 0.9)))
    found = load_detector("mediapipe").detect([np.zeros_like(GREY), GREY])
    assert [len(boxes) for boxes in found] == [0, 1]
    settings: Any = settings_of_last()
    assert settings["side_inputs"] == {"model_complexity": 0, "num_hands": 4, "use_prev_landmarks": False}
    assert sorted(settings["calculator_params"].values()) == [0.1, 0.5]


def test_what_native_code_writes_while_it_loads_is_not_shown(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    set_hands()
    load_detector("mediapipe").detect([GREY])
    print("after", file=sys.stderr, flush=True)
    assert capfd.readouterr().err == "after\n"


def test_a_detector_is_known_by_its_version_and_models_without_importing_it(models: Path) -> None:
    first = describe_detector("mediapipe")
    assert "mediapipe" not in sys.modules
    assert first.slug == f"mediapipe-{VERSION}-{first.provenance['weights_sha256'][:8]}"
    assert first.provenance["box"] == "21 landmarks, times 1.2"
    (models / "hand_landmark" / "hand_landmark_lite.tflite").write_text("another")
    assert describe_detector("mediapipe").slug != first.slug


def test_a_package_without_its_models_is_refused_with_what_to_run(models: Path) -> None:
    (models / "palm_detection" / "palm_detection_lite.tflite").unlink()
    with pytest.raises(InputError, match=r"palm_detection_lite\.tflite: missing in mediapipe .* --force-reinstall$"):
        load_detector("mediapipe")


def test_without_the_package_the_text_is_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    not_installed(monkeypatch)
    monkeypatch.setattr(mediapipe_hands, "LARGEST_PYTHON", sys.version_info[:2])
    with pytest.raises(UsageError) as error:
        load_detector("mediapipe")
    assert str(error.value) == (
        "mediapipe is not installed. "
        "Run pip install --no-deps mediapipe==0.10.14 absl-py attrs flatbuffers 'protobuf>=4.25.3,<5'"
    )


def test_a_python_without_a_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    not_installed(monkeypatch)
    monkeypatch.setattr(mediapipe_hands, "LARGEST_PYTHON", (3, 10))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(UsageError, match=rf"has no wheel for Python {here}\. Make an environment of Python 3"):
        load_detector("mediapipe")


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_stand_in(tmp_path, monkeypatch, version="1.2.3")
    with pytest.raises(UsageError, match=r"mediapipe 1\.2\.3 is installed, and 0\.10\.14 is needed"):
        load_detector("mediapipe")


def _really_installed() -> bool:
    return importlib.util.find_spec("mediapipe") is not None and importlib.metadata.version("mediapipe") == VERSION


@pytest.mark.skipif(not _really_installed(), reason=f"mediapipe {VERSION} is not installed")
def test_the_real_package_finds_a_drawn_hand_twice_the_same_and_is_quiet() -> None:
    code = (
        "import json, sys, cv2\n"
        "from pipelines.hands.detector import load_detector\n"
        "tile = cv2.cvtColor(cv2.imread(sys.argv[1])[720:960, 720:960], cv2.COLOR_BGR2RGB)\n"
        "found = load_detector('mediapipe').detect([tile * 0, tile])\n"
        "again = load_detector('mediapipe').detect([tile])\n"
        "assert found[0] == [] and again == found[1:]\n"
        "print(json.dumps([vars(box) for box in again[0]]))\n"
    )
    gallery = Path(__file__).parents[3] / "docs" / "hands.jpg"
    done = subprocess.run([sys.executable, "-c", code, str(gallery)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (box,) = json.loads(done.stdout)
    drawn = np.array([[0.625, 0.354, 0.913, 0.813]])
    found = np.array([[box["x0"], box["y0"], box["x1"], box["y1"]]])
    assert overlap(found, drawn)[0, 0] > 0.5
