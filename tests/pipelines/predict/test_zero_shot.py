from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_manifests.errors import UsageError
from pipelines.engine.shards import read_footer, read_rows
from pipelines.engine.workspace import Workspace
from pipelines.predict import load_zero_shot
from pipelines.predict.options import Overrides
from pipelines.predict.zero_shot import zero_shot_run
from tests.pipelines.kitchen_world import MACHINE, Kitchen


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def vectors_in(file: Path) -> np.ndarray:
    return np.array(read_rows(file).column("vector").to_pylist(), np.float64)


def test_a_clip_has_the_cosines_of_its_frames_with_the_words_times_the_logit_scale(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    predictor = load_zero_shot("pocket", tmp_path, machine=MACHINE)
    footage = predictor.embed([kitchen.video("a.mp4")])
    answers = predictor.predict(footage, nouns=["cup", "pot"])
    (clip,) = answers
    assert clip.verbs == ()
    frames = np.concatenate([vectors_in(part) for part in footage.vectors[0].glob("part-*.parquet")])
    text = next((footage.cache.root / "text").rglob("noun-*.parquet"))
    scale = read_footer(text).provenance["logit_scale"]
    video = unit(unit(frames).mean(0))
    expected = scale * unit(vectors_in(text)) @ video
    found = {answer.name: answer.score for answer in clip.nouns}
    assert [found["cup"], found["pot"]] == pytest.approx(expected.tolist(), abs=1e-3)
    assert footage.hands is None


def test_the_same_again_makes_nothing(kitchen: Kitchen, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        predictor = load_zero_shot("pocket", tmp_path, machine=MACHINE)
        footage = predictor.embed([kitchen.video("a.mp4")], window_s=1)
        made.append(predictor.predict(footage, nouns=["cup", "pot"], verbs=["cut", "stir"]).made)
    assert made[0] > 0
    assert made[1] == 0


def test_hand_crops_are_looked_at_where_boxes_are_given(kitchen: Kitchen, tmp_path: Path) -> None:
    predictor = load_zero_shot("pocket", tmp_path, boxes=kitchen.boxes, machine=MACHINE)
    footage = predictor.embed([kitchen.video("a.mp4")])
    (clip,) = predictor.predict(footage, nouns=["cup", "pot"])
    assert [folder.name for folder in footage.vectors] == ["hand-boxes-hand_boxes-h0.5-o0.01-m0-center"]
    assert len(clip.nouns) == 2


def test_the_packaged_detector_brings_its_own_crop(tmp_path: Path) -> None:
    run = zero_shot_run(Workspace.open(tmp_path), Overrides("pocket", detector="yolo"), MACHINE)
    policy = run.protocol.vectors[f"{run.protocol.encoder}/{run.protocol.hands}"]["crop"]
    assert run.protocol.classify == "hand"
    assert not policy.startswith("h0.5-o0.01-m0-")


def test_what_zero_shot_can_not_do_is_refused(tmp_path: Path) -> None:
    predictor = load_zero_shot("pocket", tmp_path, machine=MACHINE)
    with pytest.raises(UsageError, match=r"no words to choose from: zero-shot .*--noun cup"):
        predictor.check_words()
    with pytest.raises(UsageError, match="--weights w.pt: they are a hand detector's, .* add --detector yolo"):
        load_zero_shot("pocket", tmp_path, weights="w.pt", machine=MACHINE)
    with pytest.raises(
        UsageError, match="resnet18/random: random weights give answers that mean nothing. Name trained"
    ):
        load_zero_shot("timm:resnet18/random", tmp_path, machine=MACHINE)
