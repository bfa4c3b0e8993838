from __future__ import annotations

import numpy as np
import pytest

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import ClipsFile
from pipelines.evaluate.options import Control
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.hands.crops import CropPolicy
from pipelines.report.shown_models import MOST_MODELS, answers_of, pictures_of, shown_models, targets_of
from tests.pipelines.report.answered_world import evaluations, models


def test_zero_shot_comes_first_and_a_trained_model_names_its_dataset(answered: Workspace) -> None:
    found = models(answered)
    assert [model.number for model in found] == [0, 1]
    assert found[0].title == "zero-shot"
    assert found[1].title.startswith("xmic")
    assert found[1].title.endswith("trained on mine")
    assert [str(target) for target in targets_of(found)] == ["mine val", "other val"]


def test_controls_and_evaluations_of_listed_clips_are_left_out_and_other_seeds_too(answered: Workspace) -> None:
    plain = evaluations(answered)
    held = [(one.model_copy(update={"clips_file": ClipsFile(sha256="ab", clips=2)}), at) for one, at in plain]
    assert shown_models(held) == []
    altered = [(one.model_copy(update={"frame_order": "shuffled"}), at) for one, at in plain]
    assert all(one.control == Control("own", "shuffled") or one.control for one, _ in altered)
    assert shown_models(altered) == []
    seed = [(one.model_copy(update={"run": one.run.model_copy(update={"seed": 7})}), at) for one, at in plain]
    assert shown_models([*plain, *seed]) == shown_models(plain)


def test_a_page_has_no_more_models_than_colours(answered: Workspace) -> None:
    plain = evaluations(answered)
    many = [
        (one.model_copy(update={"run": one.run.model_copy(update={"method": f"m{n}"})}), at)
        for n in range(9)
        for one, at in plain
    ]
    found = shown_models([*many, *plain])
    assert len(found) == MOST_MODELS
    assert found[1].title.startswith("xmic")


def test_shares_are_the_softmax_of_the_scores(answered: Workspace) -> None:
    _, folder = next(iter(models(answered)[1].on.values()))
    scored, answers = labelled_scores(folder / "predictions.parquet", "verb"), answers_of(folder, "verb")
    for clip, truth, scores in zip(scored.clip_ids, scored.truth, scored.scores, strict=True):
        assert answers.shares[clip].sum() == pytest.approx(100)
        logs = np.log(answers.shares[clip])
        assert logs - logs[0] == pytest.approx(scores - scores[0], abs=1e-3)
        assert answers.right(clip) == (int(scores.argmax()) == truth)


def test_pictures_are_those_that_the_models_saw(answered: Workspace) -> None:
    found = models(answered)
    for target in targets_of(found):
        pictures = pictures_of(answered, found, target)
        assert pictures is not None
        assert pictures.policy == CropPolicy()
        assert pictures.boxes is not None
        assert any(pictures.boxes.glob("part-*"))
    (answered.root / "frames").rename(answered.root / "gone")
    assert pictures_of(answered, found, targets_of(found)[0]) is None
