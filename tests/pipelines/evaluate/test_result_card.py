from __future__ import annotations

import json

import pytest

from data_manifests.errors import InputError
from pipelines.evaluate.metrics_file import Metrics
from pipelines.evaluate.result_card import copy_card, intervals_of, read_card, write_card
from tests.pipelines import manifest_clips
from tests.pipelines.evaluate.cards import METRICS, NUMBERS

SHARED = {"rule": "exact", "sha256": "1", "classes": {"shared": 1}}
ACROSS = {"source": {"dataset": "other", "split": "train"}, "vocabulary": {"noun": SHARED}}


@pytest.fixture
def workspace(embedded):
    return embedded


def clips(ids=("a", "b"), nouns=(0, 1), recordings=("r", "r")):
    labels = {"noun": nouns, "verb": [0] * len(ids)}
    return manifest_clips.clips(ids, labels, recordings=recordings, nouns=[[n] for n in nouns])


def card_of(workspace, folder, metrics=METRICS, of=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictions.parquet").write_bytes(b"x")
    return read_card(write_card(workspace, folder, Metrics.model_validate(metrics), of or clips()))


def test_the_hash_is_of_clips_classes_and_vocabulary_and_not_of_who_was_evaluated(workspace, tmp_path):
    first = card_of(workspace, tmp_path / "a")
    other = {**METRICS, "run": {**METRICS["run"], "name": "other"}, "labels": {"noun": {**NUMBERS, "top1": 10.0}}}
    assert card_of(workspace, tmp_path / "b", other).protocol_sha256 == first.protocol_sha256
    assert card_of(workspace, tmp_path / "b", of=clips(("b", "a"), (1, 0))).protocol_sha256 == first.protocol_sha256
    differing = [
        card_of(workspace, tmp_path / "c", of=clips(("a", "c"))),
        card_of(workspace, tmp_path / "c", of=clips(nouns=(0, 2))),
        card_of(workspace, tmp_path / "c", of=clips(recordings=("r", "s"))),
        card_of(workspace, tmp_path / "c", {**METRICS, **ACROSS}),
        card_of(workspace, tmp_path / "c", {**METRICS, "target": {"dataset": "other", "split": "val"}}),
    ]
    assert len({first.protocol_sha256, *(card.protocol_sha256 for card in differing)}) == 6


def test_a_result_of_one_label_stands_beside_those_of_both(workspace, tmp_path):
    noun = card_of(workspace, tmp_path / "a", {**METRICS, **ACROSS})
    labels = {"noun": NUMBERS, "verb": NUMBERS}
    vocabulary = dict.fromkeys(labels, SHARED)
    both = card_of(workspace, tmp_path / "b", {**METRICS, **ACROSS, "labels": labels, "vocabulary": vocabulary})
    assert noun.protocol_sha256 == both.protocol_sha256
    assert set(noun.protocol.vocabulary) == {"noun", "verb"}


def test_numbers_carry_intervals_coverage_and_what_to_know(workspace, tmp_path):
    part = {"percent": 40.0, "n_evaluated": 1, "n_official": 2, "recordings": {"r": [1, 1]}}
    parts = {"novel": {"classes": 2, "restricted": part, "unrestricted": None}, "supported": None}
    metrics = {
        **METRICS,
        "labels": {"noun": {**NUMBERS, "parts": parts}},
        "actions": {**NUMBERS, "class_mean": None, "seen": {**part, "pairs": 1}, "unseen": None},
        "random_weights": ["tiny"],
    }
    card = card_of(workspace, tmp_path / "a", metrics)
    assert set(card.numbers) == {
        "noun top1",
        "noun top5",
        "noun class_mean",
        "noun novel restricted",
        "action top1",
        "action top5",
        "action seen",
    }
    top1 = card.numbers["noun top1"]
    assert (top1.value, top1.few, top1.n_evaluated, top1.n_official) == (25.0, True, 4, 5)
    assert top1.interval == (0.0, 50.0)
    assert card.numbers["noun top5"].interval is None
    assert top1.interval_kind == "bootstrap"
    assert card.numbers["noun novel restricted"].interval == pytest.approx((20.7, 100.0), abs=0.05)
    assert card.numbers["noun novel restricted"].interval_kind == "wilson"
    assert card.numbers["noun top5"].interval_kind is None
    found = intervals_of(Metrics.model_validate(metrics))
    assert {name: (spread.low, spread.high) for name, spread in found.items()} == {
        name: number.interval for name, number in card.numbers.items() if number.interval
    }
    assert card.coverage == {"noun": (4, 5), "action": (4, 5)}
    assert card.warnings == ["random weights: tiny"]
    assert card.predictions.sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.mark.parametrize("within", [True, False])
def test_intervals_are_those_of_the_evaluation(workspace, tmp_path, within):
    noun = {**NUMBERS, "recordings": {f"v{k}": [7 * k % 11, 11 + k] for k in range(12)}}
    metrics = {**METRICS, "within": within, "labels": {"noun": noun}}
    found = Metrics.model_validate(metrics)
    card = card_of(workspace, tmp_path / "a", metrics)
    assert card.numbers["noun top1"].interval == found.interval(found.labels["noun"])


def test_a_part_draws_the_recordings_of_all_clips_also_those_without_a_clip_of_it(workspace, tmp_path):
    rare = {f"r{k}": [k, 9] for k in range(8)}
    every = {**{f"v{k}": [1, 2] for k in range(9)}, **{name: [8, 20] for name in rare}}
    form = {"percent": 38.9, "n_evaluated": 72, "n_official": 72, "recordings": rare}
    parts = {"novel": {"classes": 1, "restricted": form, "unrestricted": form}}
    metrics = {**METRICS, "labels": {"noun": {**NUMBERS, "recordings": every, "parts": parts}}}
    noun = (found := Metrics.model_validate(metrics)).labels["noun"]
    novel = noun.parts["novel"].restricted
    numbers = card_of(workspace, tmp_path / "a", metrics).numbers
    for name in ("noun novel", "noun novel restricted"):
        assert numbers[name].interval == found.interval(novel, noun)
        assert numbers[name].interval != found.interval(novel)


def test_a_label_without_an_evaluated_clip_has_coverage_and_no_number(workspace, tmp_path):
    nothing = {**NUMBERS, "top1": None, "top5": None, "class_mean": None, "n_evaluated": 0, "recordings": {}}
    card = card_of(workspace, tmp_path / "a", {**METRICS, "labels": {"noun": nothing}})
    assert (card.numbers, card.coverage, card.partial) == ({}, {"noun": (0, 5)}, True)


def test_a_copy_has_the_name_of_the_model_and_the_target(workspace, tmp_path):
    card_of(workspace, tmp_path / "theirs/other-val")
    copied = copy_card(tmp_path / "theirs/other-val/card.json", tmp_path / "new/cards")
    assert copied == tmp_path / "new/cards/theirs--other-val.card.json"
    assert read_card(copied) == read_card(tmp_path / "theirs/other-val/card.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda card: "{", "breaks off|not JSON"),
        (lambda card: [card], "expected a JSON object"),
        (lambda card: {"kind": "else"}, "found kind 'else'; expected 'xmic result card'"),
        (lambda card: {**card, "schema_version": 9}, "schema 9, this xmic reads schema 1"),
        (lambda card: {**card, "extra": 1}, "extra: Extra inputs are not permitted"),
        (lambda card: {**card, "numbers": {"noun top1": 1}}, "numbers.noun top1"),
        (lambda card: {**card, "protocol": {**card["protocol"], "split": "test"}}, "it was changed by hand"),
        (
            lambda card: {**card, "coverage": {**card["coverage"], "noun": [5, 9]}},
            "its content is not what was written",
        ),
    ],
)
def test_a_damaged_or_foreign_card_is_refused_by_name(workspace, tmp_path, change, said):
    card_of(workspace, tmp_path)
    file = tmp_path / "card.json"
    changed = change(json.loads(file.read_text()))
    file.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(InputError, match=said) as caught:
        read_card(file)
    assert str(caught.value).startswith(str(file))
