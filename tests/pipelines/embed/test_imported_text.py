from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError, UsageError
from pipelines.chain.status import status
from pipelines.embed.imported_text import ImportTextStage
from pipelines.embed.vector_files import VectorFile
from pipelines.engine import stage
from pipelines.prepare.classes import read_classes
from pipelines.train.protocol import Protocol
from pipelines.train.run import load_text


def source_of(names, scalars=None):
    vectors = np.random.default_rng(0).normal(size=(len(names), 8)).astype(np.float32)
    return VectorFile(Path("t.npz"), vectors, {"name": np.array(names)}, scalars or {})


def names_of(workspace):
    return read_classes(workspace, "mine", "noun").column("name").to_pylist()


def text_stage(workspace, source, scale=50.0):
    return ImportTextStage(workspace, "mine", "noun", "mine", source, "0" * 64, scale)


def test_class_vectors_come_in_the_order_of_the_classes_whatever_else_is_there(embedded):
    names = names_of(embedded)
    source = source_of([*reversed(names), "unicorn"])
    stage.run(text_stage(embedded, source))
    protocol = Protocol("imported-mine", "imported-mine", None, "full", None, 4, 0, 95, "{}")
    bank = load_text(embedded, "mine", protocol, "noun", torch.device("cpu"))
    assert bank.names == names
    assert bank.logit_scale == 50
    np.testing.assert_array_equal(bank.vectors.numpy(), source.vectors[len(names) - 1 :: -1])


def test_the_scale_in_the_file_is_taken_and_an_option_wins(embedded):
    source = source_of(names_of(embedded), {"logit_scale": 20.0})
    assert text_stage(embedded, source, None).provenance["logit_scale"] == 20
    assert text_stage(embedded, source, 30.0).provenance["logit_scale"] == 30


def test_the_command_line_has_the_scale_that_is_taken(embedded):
    item = text_stage(embedded, source_of(names_of(embedded), {"logit_scale": 20.0}), None)
    where = f"mine -w {embedded.root}"
    assert item.command == f"xmic import-features {where} --name mine --text noun=FILE --logit-scale 20"


def test_status_knows_it_as_up_to_date(embedded):
    stage.run(text_stage(embedded, source_of(names_of(embedded))))
    (line,) = [line for line in status(embedded) if line.what == "imported-mine/noun-bare"]
    assert (line.done, line.stale) == (1, 0)


def test_without_a_scale_or_a_class_nothing_is_imported(embedded):
    names = names_of(embedded)
    with pytest.raises(UsageError, match="--logit-scale is missing"):
        text_stage(embedded, source_of(names), None)
    with pytest.raises(UsageError, match="--logit-scale 0: expected a positive number"):
        text_stage(embedded, source_of(names), 0)
    with pytest.raises(InputError, match=f"no vector of 1 of the 3 noun classes of mine: '{names[0]}'"):
        text_stage(embedded, source_of(names[1:]))
    with pytest.raises(InputError, match="rows 0 and 3 are both of"):
        text_stage(embedded, source_of([*names, names[0]]))
    source = source_of(names)
    source.vectors[1, 1] = np.nan
    with pytest.raises(InputError, match="row 1, .* a value is not finite"):
        text_stage(embedded, source)
