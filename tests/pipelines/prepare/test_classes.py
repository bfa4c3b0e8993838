from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from data_manifests.classes import class_row, class_table
from data_manifests.errors import InputError, MissingUpstream
from pipelines.engine.workspace import Workspace
from pipelines.prepare.classes import read_classes
from tests.pipelines.class_lists import write_classes


def test_a_class_list_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = class_table([class_row(0, "jar:jam", "jam jar", more=["jar of jam"])])
    write_classes(Workspace(tmp_path), "mine", "noun", table)
    assert read_classes(Workspace(tmp_path), "mine", "noun") == table


def test_a_dataset_that_is_not_prepared_is_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingUpstream, match=r"classes_verb.parquet: not prepared. Run xmic prepare for mine."):
        read_classes(Workspace(tmp_path), "mine", "verb")


def test_a_list_with_other_columns_is_said_to_be_of_another_version(tmp_path: Path) -> None:
    old = pa.table({"class_id": pa.array([0], pa.int32()), "key": ["jar"], "name": ["jar"], "instances": [["jar"]]})
    write_classes(Workspace(tmp_path), "mine", "noun", old)
    with pytest.raises(InputError) as error:
        read_classes(Workspace(tmp_path), "mine", "noun")
    assert str(error.value) == (
        f"{tmp_path}/manifests/mine/classes_noun.parquet: its columns are class_id, key, name, instances, expected "
        "class_id, key, name, fixed, synonyms: another version of xmic wrote it. Run xmic prepare for mine again."
    )
