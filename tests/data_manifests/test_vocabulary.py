from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from data_manifests.classes import class_row, class_table
from data_manifests.errors import UsageError
from data_manifests.readers.epic import EpicReader
from data_manifests.schema import Label
from data_manifests.vocabulary import Vocabulary, compare

_REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def _classes(*names: str | tuple[str, ...]) -> pa.Table:
    """A class list; a tuple is a name and its further texts."""
    all_texts = [(name,) if isinstance(name, str) else name for name in names]
    return class_table([class_row(i, texts[0], texts[0], more=texts[1:]) for i, texts in enumerate(all_texts)])


def _matches(vocabulary: Vocabulary) -> list[tuple[int, ...]]:
    return [item.sources for item in vocabulary.classes]


SOURCE = _classes("Ladle", ("cup", "mug"), "spade")
TARGET = _classes(("mug", "beaker"), "ladle", "anvil")


def test_exactly_shared_classes_have_equal_names_whatever_their_case() -> None:
    found = compare(SOURCE, TARGET, "noun")
    assert _matches(found) == [(), (0,), ()]
    assert (found.ids("shared"), found.ids("novel")) == ([1], [0, 2])
    assert found.shared_sources == {0}


def test_semantically_shared_classes_have_a_synonym_in_common() -> None:
    found = compare(SOURCE, TARGET, "noun", "semantic")
    assert _matches(found) == [(1,), (0,), ()]
    assert found.ids("novel") == [2]


def test_a_class_may_match_several_of_the_source_and_they_of_it() -> None:
    several = _classes(("cut", "slice", "chop"), "slice", "dice")
    found = compare(several, _classes(("carve", "chop", "slice"), ("divide", "slice")), "verb", "semantic")
    assert _matches(found) == [(0, 1), (0, 1)]
    assert found.shared_sources == {0, 1}


@pytest.mark.parametrize("rule", ["exact", "semantic"])
def test_the_empty_class_is_never_shared_not_even_with_another_empty_one(rule: str) -> None:
    assert compare(_classes("", "oven"), _classes("", "oven"), "noun", rule).ids("shared") == [1]


def test_the_official_name_counts_for_the_exact_rule_and_the_mended_one_for_the_semantic() -> None:
    slipped = class_table([class_row(0, "cake:chocolate:dark", "dark chocolate cake", "cake of dark chocolate")])
    official, mended = _classes("dark chocolate cake"), _classes("cake of dark chocolate")
    assert [compare(slipped, official, "noun", rule).ids("shared") for rule in ("exact", "semantic")] == [[0], []]
    assert [compare(slipped, mended, "noun", rule).ids("shared") for rule in ("exact", "semantic")] == [[], [0]]


def test_a_shared_class_is_supported_by_a_training_clip_of_any_class_it_matches() -> None:
    source = _classes("oven", ("cup", "mug"), ("beaker", "mug"))
    target = _classes("oven", "mug", "anvil")
    found = compare(source, target, "noun", "semantic", train_clips={2: 5})
    assert [item.part for item in found.classes] == ["unsupported", "supported", "novel"]
    assert [item.train_clips for item in found.classes] == [0, 5, 0]
    assert (found.ids("shared"), found.ids("supported"), found.ids("unsupported")) == ([0, 1], [1], [0])


def test_without_training_clips_support_is_unknown_not_guessed() -> None:
    found = compare(SOURCE, TARGET, "noun")
    assert [item.part for item in found.classes] == ["novel", "shared", "novel"]
    assert found.classes[1].train_clips is None
    assert found.ids("supported") is None
    assert found.ids("unsupported") is None
    assert compare(SOURCE, TARGET, "noun", train_clips={}).ids("unsupported") == [1]


def test_the_hash_is_that_of_the_split_and_of_nothing_else() -> None:
    found = compare(SOURCE, TARGET, "noun", train_clips={0: 2})
    assert len(found.sha256) == 64
    assert compare(SOURCE, TARGET, "noun", train_clips={0: 900}).sha256 == found.sha256
    others = [
        compare(SOURCE, TARGET, "verb", train_clips={0: 2}),
        compare(SOURCE, TARGET, "noun", "semantic", {0: 2}),
        compare(_classes("Ladle", "cup", "saw"), TARGET, "noun", train_clips={0: 2}),
        compare(SOURCE, _classes("mug", "ladle", "hammer"), "noun", train_clips={0: 2}),
        compare(SOURCE, TARGET, "noun", train_clips={}),
        compare(SOURCE, TARGET, "noun"),
        replace(found, rule="semantic"),
    ]
    assert len({found.sha256, *(other.sha256 for other in others)}) == 1 + len(others)


def test_an_unknown_rule_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"--rule fuzzy: expected exact or semantic"):
        compare(SOURCE, TARGET, "noun", "fuzzy")


@pytest.mark.skipif(not _REAL.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("label", "rule", "epic_shared", "epic_novel", "ego4d_shared", "ego4d_novel"),
    [
        ("noun", "exact", 163, 137, 163, 358),
        ("verb", "exact", 51, 46, 51, 66),
        ("noun", "semantic", 213, 87, 274, 247),
        ("verb", "semantic", 69, 28, 82, 35),
    ],
)
def test_epic_and_ego4d_share_as_many_classes_as_published(
    label: Label, rule: str, epic_shared: int, epic_novel: int, ego4d_shared: int, ego4d_novel: int
) -> None:
    ego4d = pytest.importorskip("data_manifests.readers.ego4d").Ego4dReader(_REAL / "ego4d").classes()[label]
    epic = EpicReader(_REAL / "epic100").classes()[label]
    on_epic, on_ego4d = compare(ego4d, epic, label, rule), compare(epic, ego4d, label, rule)
    assert [len(on_epic.ids(part) or []) for part in ("shared", "novel")] == [epic_shared, epic_novel]
    assert [len(on_ego4d.ids(part) or []) for part in ("shared", "novel")] == [ego4d_shared, ego4d_novel]
    assert len(on_epic.shared_sources) == ego4d_shared


@pytest.mark.skipif(not _REAL.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("label", "shared", "novel"), [("noun", (124, 7246), (87, 2422)), ("verb", (45, 9182), (33, 486))]
)
def test_the_validation_clips_of_epic_fall_into_the_parts_as_published(
    label: Label, shared: tuple[int, int], novel: tuple[int, int]
) -> None:
    ego4d = pytest.importorskip("data_manifests.readers.ego4d").Ego4dReader(_REAL / "ego4d").classes()[label]
    reader = EpicReader(_REAL / "epic100")
    found = compare(ego4d, reader.classes()[label], label)
    clips = Counter(reader.read("val").clips.column(f"{label}_class").to_pylist())
    for part, expected in (("shared", shared), ("novel", novel)):
        counts = [clips[number] for number in found.ids(part) or []]
        assert (sum(count > 0 for count in counts), sum(counts)) == expected


@pytest.mark.skipif(not _REAL.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(("label", "ego4d_shared", "epic_shared"), [("noun", 30, 29), ("verb", 12, 11)])
def test_of_egtea_as_many_classes_are_in_the_other_two_as_counted_by_hand(
    label: Label, ego4d_shared: int, epic_shared: int
) -> None:
    egtea = pytest.importorskip("data_manifests.readers.egtea").EgteaReader(_REAL / "egtea").classes()[label]
    ego4d = pytest.importorskip("data_manifests.readers.ego4d").Ego4dReader(_REAL / "ego4d").classes()[label]
    epic = EpicReader(_REAL / "epic100").classes()[label]
    assert len(compare(ego4d, egtea, label).ids("shared") or []) == ego4d_shared
    assert len(compare(epic, egtea, label).ids("shared") or []) == epic_shared
