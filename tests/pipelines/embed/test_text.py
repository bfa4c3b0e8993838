from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from data_manifests.classes import class_row, class_table
from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.text import TextStage, class_vectors, text_slug, text_stages
from pipelines.engine import stage
from pipelines.engine.shards import read_footer, read_rows
from tests.pipelines.class_lists import write_classes

CLASSES = class_table(
    [
        class_row(0, "kettle:tea", "tea kettle", more=["teapot"]),
        class_row(1, "roll:spring:fried", "fried spring roll", "spring roll, fried", ["egg roll", "spring roll"]),
        class_row(2, "jar", "jar"),
    ]
)


@pytest.fixture
def named(embedded):
    """The workspace with noun classes that have further texts."""
    write_classes(embedded, "mine", "noun", CLASSES)
    return embedded


def embedded_texts(item):
    stage.run(item)
    (unit,) = item.units()
    return read_rows(unit.path).to_pylist()


def test_class_names_are_embedded_with_their_prompt_in_fp32(embedded, world):
    item = TextStage(embedded, "mine", "noun", world.encoder(), "Image of a {}")
    rows = embedded_texts(item)
    assert (item.folder / f"noun-{text_slug('Image of a {}')}.parquet").is_file()
    assert [row["name"] for row in rows] == ["bread", "jar", "pan"]
    assert rows[0]["text"] == "Image of a bread"
    expected = world.FakeEncoder().encode_texts(["Image of a pan"])[0]
    np.testing.assert_array_equal(np.array(rows[2]["vector"], np.float32), expected)


@pytest.mark.parametrize(
    ("names", "texts"),
    [
        ("official", ["tea kettle", "fried spring roll", "jar"]),
        ("fixed", ["tea kettle", "spring roll, fried", "jar"]),
        ("synonyms", ["tea kettle; teapot", "spring roll, fried; egg roll; spring roll", "jar"]),
    ],
)
def test_a_class_is_named_by_its_official_its_mended_or_all_its_texts(named, world, names, texts):
    rows = embedded_texts(TextStage(named, "mine", "noun", world.encoder(), names=names))
    assert [row["text"] for row in rows] == texts
    assert [row["name"] for row in rows] == ["tea kettle", "fried spring roll", "jar"]
    assert [row["class_id"] for row in rows] == [0, 1, 2]


def test_the_synonyms_of_a_class_become_the_mean_of_their_directions_and_of_their_lengths(named, world):
    rows = embedded_texts(TextStage(named, "mine", "noun", world.encoder(), "a {}", "synonyms"))
    assert rows[0]["text"] == "a tea kettle; a teapot"
    for row, texts in ((rows[0], ["a tea kettle", "a teapot"]), (rows[2], ["a jar"])):
        raw = world.FakeEncoder().encode_texts(texts).astype(np.float64)
        lengths = np.linalg.norm(raw, axis=1)
        found = np.array(row["vector"])
        assert np.linalg.norm(found) == pytest.approx(lengths.mean(), rel=1e-6)
        direction = sum(vector / length for vector, length in zip(raw, lengths, strict=True))
        np.testing.assert_allclose(found / np.linalg.norm(found), direction / np.linalg.norm(direction), rtol=1e-5)


def test_a_long_text_vector_weighs_no_more_than_a_short_one_and_one_text_keeps_its_own():
    encoded = np.array([[8.0, 0.0], [0.0, 2.0], [0.3, 0.7]], np.float32)
    vectors = class_vectors(encoded, [2, 1])
    np.testing.assert_allclose(vectors[0], [5 / 2**0.5] * 2, rtol=1e-6)
    np.testing.assert_array_equal(vectors[1], encoded[2])
    assert vectors.dtype == np.float32


def test_variants_lie_side_by_side_and_the_official_one_keeps_its_name(named, world):
    for names in ("official", "fixed", "synonyms"):
        for item in text_stages(named, "mine", world.encoder(), "{}", names):
            stage.run(item)
    folder = named.root / "text" / "mine" / "fake-00000000"
    found = {"noun-bare", "noun-bare-fixed", "noun-bare-synonyms", "verb-bare", "verb-bare-fixed", "verb-bare-synonyms"}
    assert {file.stem for file in folder.glob("*.parquet")} == found
    assert read_footer(folder / "noun-bare-fixed.parquet").provenance["names"] == "fixed"


def test_the_command_of_a_variant_makes_that_variant(embedded, world):
    item = TextStage(embedded, "mine", "noun", world.encoder(), "a {}", "synonyms")
    assert item.command == f"xmic embed mine -w {embedded.root} --encoder fake --prompt 'a {{}}' --names synonyms"
    official = TextStage(embedded, "mine", "noun", world.encoder())
    assert official.command == f"xmic embed mine -w {embedded.root} --encoder fake"


def test_a_class_list_of_an_earlier_version_is_named_before_any_work(embedded, world):
    old = pa.table({"class_id": pa.array([0], pa.int32()), "key": ["jar"], "name": ["jar"], "instances": [["jar"]]})
    write_classes(embedded, "mine", "noun", old)
    with pytest.raises(
        InputError, match=r"classes_noun.parquet: its columns are class_id, key, name, instances, expected class_id, .*"
        r"another version of xmic wrote it. Run xmic prepare for mine again",
    ):  # fmt: skip
        text_stages(embedded, "mine", world.encoder(), "{}")


def test_a_dataset_that_is_not_prepared_is_named(embedded, world):
    with pytest.raises(MissingUpstream, match="not prepared. Run xmic prepare for nowhere"):
        text_stages(embedded, "nowhere", world.encoder(), "{}")


def test_prompts_and_names_have_file_names_of_their_own():
    assert text_slug("{}") == "bare"
    assert text_slug("{}", "fixed") == "bare-fixed"
    assert text_slug("Image of a {}").startswith("image-of-a-")
    assert text_slug("Image of a {}", "synonyms") == text_slug("Image of a {}") + "-synonyms"
    assert text_slug("Image of a {}") != text_slug("image of a {}")


@pytest.mark.parametrize("wrong", ["no place", "{} and {}", "{name}"])
def test_a_prompt_has_one_place_for_the_class(wrong):
    with pytest.raises(UsageError, match="expected one {} where the class name goes"):
        text_slug(wrong)


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(UsageError, match="--names best: expected official, fixed or synonyms"):
        text_slug("{}", "best")
