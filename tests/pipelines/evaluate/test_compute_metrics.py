from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.engine.progress import Silent
from pipelines.engine.workspace import DatasetSettings
from pipelines.evaluate.calibration import Temperature
from pipelines.evaluate.compute_metrics import (
    Subject,
    any_noun,
    class_counts,
    compute_metrics,
    is_epic,
    label_metrics,
    vocabularies_of,
)
from tests.pipelines.evaluate.hand_made import predictions, scored, vocabulary

ONES = {"noun": Temperature(), "verb": Temperature()}


def subject(workspace, source="mine", labels=("noun", "verb")):
    return Subject(workspace, source, "other", "val", labels)


def scores(classes, best):
    return [[float(number == of) for number in range(classes)] for of in best]


def test_what_is_not_said_to_be_trained_elsewhere_is_neither_within_nor_across(embedded):
    across = subject(embedded)
    assert [(s.within, s.cross) for s in (across, subject(embedded, None), replace(across, dataset="mine"))] == [
        (False, True),
        (False, False),
        (True, False),
    ]
    assert vocabularies_of(subject(embedded, None), Silent()) == {}
    assert list(vocabularies_of(subject(embedded, labels=("verb",)), Silent())) == ["verb"]


def test_actions_need_both_labels_and_seen_ones_the_sources_clips(embedded):
    both = predictions({"noun": scores(4, (0, 1)), "verb": scores(4, (0, 1))}, {"noun": (0, 1), "verb": (0, 2)})
    noun = predictions({"noun": scores(4, (0, 1))}, {"noun": (0, 1), "verb": (0, 2)})
    found = compute_metrics(subject(embedded), both, vocabularies_of(subject(embedded), Silent()), ONES)
    assert found.labels["noun"].top1 == 100
    assert found.actions.top1 == 50
    assert found.actions.seen is not None
    unsaid = compute_metrics(subject(embedded, None), both, {}, ONES)
    assert unsaid.actions.seen is None
    assert unsaid.labels["noun"].parts == {}
    assert unsaid.labels["noun"].references["source_majority"] is None
    assert compute_metrics(subject(embedded, labels=("noun",)), noun, {}, ONES).actions is None


def test_epic_is_known_by_its_reader_and_its_classes(embedded, monkeypatch):
    settings = embedded.datasets["other"]
    embedded.datasets["other"] = DatasetSettings("epic", settings.roots, settings.groups)
    assert class_counts(embedded, "other") == {"noun": 4, "verb": 4}
    assert not is_epic(embedded, "other")
    monkeypatch.setattr("pipelines.evaluate.epic.CLASSES", {"noun": 4, "verb": 4})
    assert is_epic(embedded, "other")
    assert not is_epic(embedded, "mine")
    assert not is_epic(embedded, "nobody")


SPLIT = vocabulary([[0], [1], []], [2, 0, 0])
CLIPS = scored([[3, 1, 0], [3, 1, 0], [0, 2, 1]], [0, 1, 2], ["x", "x", "y"], official=[0, 1, 2, 2])


def test_the_numbers_of_a_label_are_those_of_its_ranks() -> None:
    found = label_metrics(CLIPS, SPLIT, Temperature(), cross=True, zero_shot=False)
    assert (found.top1, found.top5, found.class_mean) == (
        pytest.approx(100 / 3),
        100.0,
        pytest.approx(100 / 3),
    )
    assert (found.n_evaluated, found.n_official, found.classes, found.classes_present) == (3, 4, 3, 3)
    assert found.recordings == {"x": (1, 2), "y": (0, 1)}
    assert found.parts["unsupported"].restricted.percent == 100
    assert found.shared_novel_hm.restricted == pytest.approx(2 * 50 * 100 / 150)
    assert found.novel_called_shared.percent == 100


def test_within_the_dataset_there_is_no_shared_and_novel() -> None:
    found = label_metrics(CLIPS, SPLIT, Temperature(), cross=False, zero_shot=False)
    assert (found.parts, found.shared_novel_hm, found.novel_called_shared) == ({}, None, None)
    assert found.references["chance"].percent == pytest.approx(100 / 3)


def test_the_calibration_says_on_what_its_temperature_was_fitted() -> None:
    plain, fitted = (
        label_metrics(CLIPS, SPLIT, temperature, cross=True, zero_shot=False).calibration
        for temperature in (Temperature(), Temperature(2.0, "mine val"))
    )
    assert (plain.temperature, plain.fitted_on) == (1.0, None)
    assert plain.ece_at_temperature == plain.ece == fitted.ece
    assert (fitted.temperature, fitted.fitted_on) == (2.0, "mine val")
    assert fitted.ece_at_temperature != fitted.ece


def test_without_an_evaluated_clip_nothing_is_said_but_how_many_there_should_be() -> None:
    none = scored([[0, 0, 0]], [0], official=[1, 1])
    none = type(none)(
        none.scores[:0], none.truth[:0], none.recordings.only(none.rows[:0]), none.rows[:0], none.official
    )
    found = label_metrics(none, SPLIT, Temperature(), cross=True, zero_shot=False)
    assert (found.n_evaluated, found.n_official, found.top1, found.recordings) == (0, 2, None, {})
    assert (found.parts, found.references, found.calibration) == ({}, {}, None)


def test_any_annotated_noun_of_a_clip_is_right() -> None:
    found = any_noun(CLIPS, [[0], [1, 0], [2]])
    assert (found.percent, found.recordings) == (pytest.approx(200 / 3), {"x": (2, 2), "y": (0, 1)})
