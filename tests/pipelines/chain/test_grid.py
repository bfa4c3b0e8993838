from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.chain.grid import choose_cell, read_cells

HEAD = '[[dataset]]\nname = "a"\nreader = "table"\nfiles = ["a.csv"]\n'
EMBED = '[embed]\nencoder = "x:y"\n'


def cells_of(tmp_path: Path, text: str):
    file = tmp_path / "xmic.toml"
    file.write_text(HEAD + text)
    return read_cells(file)


def test_without_lists_each_training_is_a_cell(tmp_path):
    cells = cells_of(tmp_path, EMBED + '[[train]]\nmethod = "zero-shot"\n[[train]]\nseed = 3\n')
    assert [(cell.number, cell.section, dict(cell.varies)) for cell in cells] == [(0, 0, {}), (1, 1, {})]
    assert [[training.seed for training in cell.config.train] for cell in cells] == [[0], [3]]
    (only,) = cells_of(tmp_path, EMBED)
    assert (only.section, only.config.train) == (None, [])


def test_lists_make_the_product_with_the_last_changing_fastest(tmp_path):
    text = '[[train]]\nstreams = ["full", "hand"]\nseed = [0, 1]\nset = { n1 = [true, false], lr = 0.1 }\n'
    cells = cells_of(tmp_path, EMBED + text)
    assert [tuple(cell.varies.values()) for cell in cells[:3]] == [
        ("full", 0, True),
        ("full", 0, False),
        ("full", 1, True),
    ]
    assert len(cells) == 8
    last = cells[-1]
    assert dict(last.varies) == {"streams": "hand", "seed": 1, "set.n1": False}
    assert (last.config.train[0].streams, last.config.train[0].set) == ("hand", {"n1": False, "lr": 0.1})


def test_trainings_are_added_and_encoders_and_prompts_multiply_them(tmp_path):
    embed = '[embed]\nencoder = ["x:a", "x:b"]\nprompt = ["{}", "Image of a {}"]\n'
    text = '[[train]]\nmethod = "zero-shot"\n[[train]]\nseed = [1, 2]\n'
    cells = cells_of(tmp_path, embed + text)
    assert len(cells) == 4 * 3
    assert [cell.number for cell in cells] == list(range(12))
    assert dict(cells[-1].varies) == {"embed.encoder": "x:b", "embed.prompt": "Image of a {}", "seed": 2}
    assert cells[-1].config.embed.prompt == "Image of a {}"


def test_a_setting_of_several_values_is_an_axis_only_as_a_list_of_lists(tmp_path):
    (one,) = cells_of(tmp_path, EMBED + "[[train]]\nset = { betas = [0.9, 0.98] }\n")
    assert one.config.train[0].set == {"betas": [0.9, 0.98]}
    two = cells_of(tmp_path, EMBED + "[[train]]\nset = { betas = [[0.9, 0.98], [0.9, 0.999]] }\n")
    assert [cell.config.train[0].set["betas"] for cell in two] == [[0.9, 0.98], [0.9, 0.999]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EMBED + "[[train]]\n[[train]]\nstreams = ['full', 'fool']\n", r"train\.1\.streams: Input should be .*'fool'"),
        (EMBED + "[[train]]\nseed = []\n", r"train\.0\.seed is an empty list"),
        (EMBED + "[[train]]\nset = { n1 = [] }\n", r"train\.0\.set\.n1 is an empty list"),
        ("[embed]\nencoder = []\n", r"embed\.encoder is an empty list"),
        (
            "[embed]\nencoder = 'x:y'\ncrop_margin = [0.0, 0.1]\n",
            r"embed\.crop_margin: .* number; found \[0\.0, 0\.1\]",
        ),
        (EMBED + "[decode]\nsegments = [8, 16]\n", r"decode\.segments: .* integer; found \[8, 16\]"),
        (EMBED + "[[train]]\nsead = [1, 2]\n", r"unknown key train\.0\.sead; the nearest known key is seed"),
        (EMBED + "[train]\nseed = 1\n", r"train: "),
    ],
)
def test_what_is_wrong_is_named_at_its_place_in_the_file(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        cells_of(tmp_path, text)


@pytest.mark.parametrize("text", ["embed = 3\n", 'train = [1]\nembed = { encoder = "x:y" }\n'])
def test_what_is_no_table_is_left_to_the_check(tmp_path, text):
    (tmp_path / "xmic.toml").write_text(text + HEAD)
    with pytest.raises(InputError, match=r"xmic\.toml: (embed|train\.0): Input should be"):
        read_cells(tmp_path / "xmic.toml")


def test_a_method_that_there_is_not_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'xmic'"):
        cells_of(tmp_path, EMBED + '[[train]]\nmethod = "xmik"\nset = { n1 = [true, false] }\n')


def test_a_cell_that_there_is_not_is_refused_with_how_many_there_are(tmp_path):
    cells = cells_of(tmp_path, EMBED + "[[train]]\nseed = [1, 2]\n")
    assert choose_cell(cells, 1, tmp_path / "xmic.toml").number == 1
    with pytest.raises(InputError, match="--cell 2, but its cells are 0 to 1"):
        choose_cell(cells, 2, tmp_path / "xmic.toml")
