from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_manifests.errors import InputError
from data_manifests.readers.ego4d import Ego4dReader
from data_manifests.readers.epic import EpicReader
from data_manifests.schema import CLASSES, LABELS, Label
from tests.data_manifests.ego4d_files import NOUNS, TAXONOMY, entry, write_ego4d, write_json

_REAL = Path(__file__).resolve().parents[3].parent / "shared" / "data"


def test_class_lists_come_from_the_taxonomy_whatever_its_size(tmp_path: Path) -> None:
    classes = Ego4dReader(write_ego4d(tmp_path, nouns=NOUNS[:3])).classes()
    assert classes["noun"].schema == CLASSES
    assert classes["noun"].to_pylist() == [
        {"class_id": 0, "key": "anchor", "name": "anchor", "fixed": "anchor", "synonyms": ["anchor"]},
        {
            "class_id": 1,
            "key": "kettle_(teapot,_kettle)",
            "name": "kettle",
            "fixed": "kettle",
            "synonyms": ["kettle", "teapot"],
        },
        {"class_id": 2, "key": "bolt_(tool)", "name": "bolt", "fixed": "bolt", "synonyms": ["bolt"]},
    ]
    assert classes["verb"].column("name").to_pylist() == ["lift", "tie"]


@pytest.mark.parametrize(
    "nouns", [[], [3], [""], ["_(tool)"], "anchor", None, {"0": "anchor"}], ids=lambda nouns: repr(nouns)
)
def test_a_taxonomy_without_lists_of_names_is_refused(tmp_path: Path, nouns: Any) -> None:
    write_ego4d(tmp_path)
    file = write_json(tmp_path / TAXONOMY, {"verbs": ["tie"], "nouns": nouns})
    with pytest.raises(InputError) as error:
        Ego4dReader(tmp_path).classes()
    assert str(error.value) == f"{file}: expected a list 'nouns' of names, the index in it being the label."


def test_two_classes_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = write_ego4d(tmp_path, nouns=["anchor", "bolt_(tool)", "bolt_(rivet,_bolt)"])
    with pytest.raises(InputError) as error:
        Ego4dReader(folder).classes()
    assert str(error.value) == (
        f"{folder / TAXONOMY}: the nouns 'bolt_(tool)' and 'bolt_(rivet,_bolt)' would all be called 'bolt'; "
        "expected each class once."
    )


def _real_classes() -> dict[Label, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    ours, epic = Ego4dReader(_REAL / "ego4d").classes(), EpicReader(_REAL / "epic100").classes()
    return {label: (ours[label].to_pylist(), epic[label].to_pylist()) for label in LABELS}


def _with_common_text(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> int:
    texts = {text for other in others for text in other["synonyms"]}
    return sum(not texts.isdisjoint(row["synonyms"]) for row in rows)


@pytest.mark.skipif(not (_REAL / "ego4d").is_dir(), reason="the official annotation files are not here")
def test_the_official_taxonomy_shares_as_many_classes_with_epic_as_the_official_lists() -> None:
    classes = _real_classes()
    assert {label: len(ours) for label, (ours, _) in classes.items()} == {"noun": 521, "verb": 117}
    exact = {
        label: len({o["name"] for o in ours} & {e["name"] for e in epic}) for label, (ours, epic) in classes.items()
    }
    assert exact == {"noun": 163, "verb": 51}
    semantic = {label: (_with_common_text(e, o), _with_common_text(o, e)) for label, (o, e) in classes.items()}
    assert semantic == {"noun": (213, 274), "verb": (69, 82)}


@pytest.mark.skipif(not (_REAL / "ego4d").is_dir(), reason="the official annotation files are not here")
def test_every_entry_of_the_official_taxonomy_is_read_as_the_label_of_its_index(tmp_path: Path) -> None:
    taxonomy = json.loads((_REAL / "ego4d" / TAXONOMY).read_text())
    verb = taxonomy["verbs"][0]
    entries = [
        entry(action_idx=label, noun=noun, noun_label=label, verb=verb, verb_label=0)
        for label, noun in enumerate(taxonomy["nouns"])
    ]
    folder = write_ego4d(tmp_path, {"val": entries}, taxonomy["nouns"], taxonomy["verbs"])
    rows = Ego4dReader(folder).read("val")
    assert rows.rejects.num_rows == 0
    assert rows.clips.column("noun_class").to_pylist() == list(range(521))
