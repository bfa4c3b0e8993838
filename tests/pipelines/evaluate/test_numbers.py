from __future__ import annotations

from dataclasses import replace

from pipelines.engine.progress import Silent
from pipelines.engine.workspace import DatasetSettings
from pipelines.evaluate.calibration import Temperature
from pipelines.evaluate.numbers import Subject, class_counts, is_epic, numbers_of, vocabularies_of
from tests.pipelines.evaluate.hand_made import predictions

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
    found = numbers_of(subject(embedded), both, vocabularies_of(subject(embedded), Silent()), ONES)
    assert found["labels"]["noun"]["top1"] == 100
    assert found["actions"]["top1"] == 50
    assert found["actions"]["seen"] is not None
    unsaid = numbers_of(subject(embedded, None), both, {}, ONES)
    assert unsaid["actions"]["seen"] is None
    assert unsaid["labels"]["noun"]["parts"] == {}
    assert unsaid["labels"]["noun"]["references"]["source_majority"] is None
    assert numbers_of(subject(embedded, labels=("noun",)), noun, {}, ONES)["actions"] is None


def test_epic_is_known_by_its_reader_and_its_classes(embedded, monkeypatch):
    settings = embedded.datasets["other"]
    embedded.datasets["other"] = DatasetSettings("epic", settings.roots, settings.groups)
    assert class_counts(embedded, "other") == {"noun": 4, "verb": 4}
    assert not is_epic(embedded, "other")
    monkeypatch.setattr("pipelines.evaluate.epic.CLASSES", {"noun": 4, "verb": 4})
    assert is_epic(embedded, "other")
    assert not is_epic(embedded, "mine")
    assert not is_epic(embedded, "nobody")
