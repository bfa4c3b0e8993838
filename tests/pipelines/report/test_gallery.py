from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.evaluate.predictions_file import labelled_scores
from pipelines.prepare.vocabulary import vocabulary_of
from pipelines.report import gallery as module
from pipelines.report.gallery import GalleryClip, gallery
from pipelines.report.shown_models import Model
from tests.pipelines.report.answered_world import models


def answers(model: Model, clip: GalleryClip, label: str) -> tuple[int, int]:
    _, folder = model.on[clip.target]
    found = labelled_scores(folder / "predictions.parquet", label)  # type: ignore[arg-type]
    row = found.clip_ids.index(clip.clip_id)
    return int(found.truth[row]), int(found.scores[row].argmax())


def test_right_wrong_and_changed_are_those_of_the_predictions(answered: Workspace) -> None:
    shown = models(answered)
    found = gallery(answered, shown)
    assert found.clips
    changed = 0
    for clip in found.clips:
        tokens = set(clip.tokens.split())
        for one in clip.answers:
            right = []
            for model in shown:
                truth, said = answers(model, clip, one.label)
                right.append(truth == said)
                assert one.right[model.number] == (truth == said)
                assert (f"right:{one.label}:{model.number}" in tokens) == (truth == said)
                assert (f"wrong:{one.label}:{model.number}" in tokens) == (truth != said)
            assert (f"changed:{one.label}" in tokens) == (right[0] != right[1])
            assert (f"changed-true:{one.label}" in tokens) == (not right[0] and right[1])
            changed += right[0] != right[1]
    assert changed


def test_rows_are_the_best_answers_and_the_right_one(answered: Workspace) -> None:
    for clip in gallery(answered, models(answered)).clips:
        for one in clip.answers:
            assert [row.name for row in one.rows if row.truth] == [one.truth]
            best = [max(bar.percent for bar in row.bars) for row in one.rows]
            assert best[:5] == sorted(best[:5], reverse=True)
            assert one.most == pytest.approx(best[0])
            for number in one.right:
                bars = [(bar, row) for row in one.rows for bar in row.bars if bar.model == number]
                assert sum(bar.percent for bar, _ in bars) <= 100.0001
                [answer] = [row for bar, row in bars if bar.best]
                assert answer.truth == one.right[number]


def test_novel_classes_are_those_that_the_training_dataset_lacks(answered: Workspace) -> None:
    found = gallery(answered, models(answered))
    novel = {
        label: {item.name for item in vocabulary_of(answered, "mine", "other", label).classes if item.part == "novel"}
        for label in ("noun", "verb")
    }
    marked = set()
    for clip in found.clips:
        for one in clip.answers:
            lacks = clip.target.dataset == "other" and one.truth in novel[one.label]
            assert list(one.novel) == ([1] if lacks else [])
            assert (f"novel:{one.label}:1" in clip.tokens.split()) == lacks
            marked.add(lacks)
    assert marked == {True, False}


def test_the_same_evaluations_give_the_same_gallery(answered: Workspace) -> None:
    assert gallery(answered, models(answered)) == gallery(answered, models(answered))


def test_each_kind_has_a_clip_where_few_are_shown(answered: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    every = gallery(answered, models(answered))
    kinds = {token for clip in every.clips for token in clip.tokens.split() if token.startswith(("changed:", "novel:"))}
    monkeypatch.setattr(module, "MOST_CLIPS", 8)
    few = gallery(answered, models(answered))
    assert len(few.clips) == 8
    assert kinds <= {token for clip in few.clips for token in clip.tokens.split()}
    assert {str(clip.target) for clip in few.clips} == {"mine val", "other val"}


def test_without_frames_the_answers_are_still_shown(answered: Workspace) -> None:
    before = gallery(answered, models(answered))
    assert all(clip.strip for clip in before.clips)
    (answered.root / "frames").rename(answered.root / "gone")
    after = gallery(answered, models(answered))
    assert [replace(clip, strip=None) for clip in before.clips] == list(after.clips)


def test_one_model_alone_has_nothing_to_compare_and_none_has_no_clips(answered: Workspace) -> None:
    alone = gallery(answered, models(answered)[:1])
    assert alone.compared is None
    assert not any("changed" in clip.tokens for clip in alone.clips)
    assert gallery(answered, []).clips == []


def test_pictures_stay_within_their_budget(answered: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sum(clip.strip.size for clip in gallery(answered, models(answered)).clips if clip.strip)
    monkeypatch.setattr(module, "_BUDGET", whole // 2)
    clips = gallery(answered, models(answered)).clips
    assert 0 < sum(clip.strip.size for clip in clips if clip.strip) <= whole // 2
    assert all(clip.strip for clip in clips)
