from __future__ import annotations

import pytest

from pipelines.engine.shards import read_rows
from tests.data_manifests.egtea_files import line, write_egtea
from xmic_cli.app import run

READER = """
from data_manifests.readers.egtea import EgteaReader

class Mine(EgteaReader):
    name = "mine"

class Half:
    name = "half"
"""


@pytest.fixture
def own(here, monkeypatch):
    """A reader of one's own, and its files."""
    (here / "plugin").mkdir()
    (here / "plugin" / "own_reader_of_a_user.py").write_text(READER)
    monkeypatch.syspath_prepend(here / "plugin")
    write_egtea(here / "a", {"test_split1": [line(1), line(2)]})
    return ["prepare", "own", "--reader", "own_reader_of_a_user:Mine", "--name", "kitchen", "--annotations", "a"]


def test_a_reader_of_ones_own_prepares_a_dataset(own, here, capsys):
    assert run(own) == 0
    assert "kitchen test: 2 clips of 2 videos" in capsys.readouterr().out
    assert run([*own, "--set", "empty_class=false"]) == 0
    names = read_rows(here / "xmic-work/manifests/kitchen/classes_verb.parquet").column("name").to_pylist()
    assert len(names) == 3


def test_it_stands_in_the_configuration_of_a_chain_too(own, here, capsys):
    text = '[[dataset]]\nname = "kitchen"\nreader = "own_reader_of_a_user:Mine"\nannotations = "a"\n'
    (here / "xmic.toml").write_text(text + "set = { empty_class = false }\n[embed]\nencoder = 'x:y'\n")
    assert run(["run", "--dry-run"]) == 0
    assert "manifests/kitchen/test/clips.parquet: not made yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"own_reader_of_a_user:Mine": "epic"}, "--reader epic: it has a command of its own, xmic prepare epic."),
        ({"own_reader_of_a_user:Mine": "mine"}, "There is no reader 'mine'. Known: ego4d, egtea, epic, table."),
        ({"Mine": "Mime"}, "has no class Mime. Did you mean 'Mine'?"),
    ],
)
def test_what_is_no_reader_is_answered_with_what_to_do(own, capsys, change, message):
    (old, new), *_ = change.items()
    assert run([part.replace(old, new) for part in own]) == 2
    assert message in capsys.readouterr().err


def test_wrong_arguments_and_half_readers_exit_2(own, capsys):
    assert run([*own, "--set", "empty=true"]) == 2
    assert "It takes: annotations, empty_class=True, patterns=()." in capsys.readouterr().err
    assert run(["prepare", "own", "--reader", "own_reader_of_a_user:Half", "--name", "x"]) == 2
    assert "it is no reader, for it has no parameters, splits, files, classes, read" in capsys.readouterr().err
