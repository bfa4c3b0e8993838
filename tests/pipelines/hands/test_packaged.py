from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.engine.digest import whole_file_sha256
from pipelines.hands import packaged
from pipelines.hands.crops import CropPolicy
from pipelines.hands.detector import describe_detector, load_detector
from pipelines.hands.model_file import read_model
from pipelines.hands.packaged import PACKAGED, calibration_of, fitting_policy, is_packaged
from pipelines.hands.scoring import Truth, score
from pocket_kitchens.drawing.clip import render
from pocket_kitchens.drawing.domains import EGO4D, EPIC, Domain
from pocket_kitchens.world import Size, plan_world


def test_the_packaged_model_is_small_and_is_what_its_description_says() -> None:
    assert sum(PACKAGED.with_suffix(ending).stat().st_size for ending in (".safetensors", ".yaml", ".json")) < 6e6
    assert set(read_model(PACKAGED).checkpoint.names) == {"left hand", "right hand"}


def test_its_threshold_and_margin_are_those_of_its_curves() -> None:
    written = json.loads(PACKAGED.with_suffix(".json").read_text("utf-8"))
    best = max(written["thresholds"], key=lambda row: row["f1"])
    assert written["threshold"] == best["threshold"]
    enough = [row["margin"] for row in written["margins"] if row["true_hands_covered"] >= 0.9]
    assert written["margin"] == min(enough)
    found = calibration_of(describe_detector("yolo", weights=None).provenance["weights_sha256"])
    assert found == (written["threshold"], written["margin"])


def test_it_is_known_by_its_folder_name_at_any_size() -> None:
    slug = describe_detector("yolo", weights=None).slug
    assert is_packaged(slug)
    assert is_packaged(slug.replace("-320-", "-640-"))
    assert not is_packaged("yolo-hands-320-00000000")


def test_other_weights_have_no_calibration() -> None:
    assert calibration_of("0" * 64) is None
    assert calibration_of(None) is None


def test_crops_fit_the_detector_that_made_the_boxes() -> None:
    weights = describe_detector("yolo", weights=None).provenance["weights_sha256"]
    threshold, margin = calibration_of(weights) or (0.0, 0.0)
    for made, expected in (
        ({"detector": "yolo", "weights_sha256": weights}, CropPolicy(threshold, margin=margin)),
        ({"detector": "epic-100doh"}, CropPolicy(0.8)),
        ({"detector": "mine"}, CropPolicy()),
    ):
        assert fitting_policy(made) == expected


def test_its_weights_are_read_once_and_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "hands.safetensors"
    weights.write_bytes(b"first")
    monkeypatch.setattr(packaged, "PACKAGED", weights)
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return whole_file_sha256(path)

    monkeypatch.setattr(packaged, "whole_file_sha256", counted)
    slug = f"yolo-hands-320-{whole_file_sha256(weights)[:8]}"
    assert is_packaged(slug)
    assert is_packaged(slug)
    assert len(read) == 1
    weights.write_bytes(b"another")
    assert not is_packaged(slug)


@pytest.mark.parametrize("domain", [EPIC, EGO4D], ids=["epic", "ego4d"])
def test_it_finds_the_hands_of_the_pocket_world(domain: Domain) -> None:
    videos = [video for video in plan_world(domain, Size(60, 40, (2, 4)), seed=77) if video.split == "test"]
    clips = [video.clips[0] for video in videos[:8]]
    frames = [frame for clip in clips for frame in render(clip, domain, only=range(4, clip.frames, 8))]
    found = load_detector("yolo", weights=None).detect([frame.rgb for frame in frames])
    truth = [
        Truth(np.array([hand.box for hand in frame.hands], np.float64).reshape(-1, 4), np.zeros(len(frame.hands), bool))
        for frame in frames
    ]
    scores = score(found, truth)
    assert scores.hands > 20
    assert scores.ap is not None
    assert scores.ap >= 0.9
