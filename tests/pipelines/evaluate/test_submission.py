from __future__ import annotations

import json

import numpy as np
import pytest

from data_manifests.errors import InputError, UsageError
from pipelines.evaluate.submission import Submission, parse_levels, write_submission
from tests.pipelines.evaluate.hand_made import predictions

ONE = {"noun": 1.0, "verb": 1.0}
VERBS, NOUNS = [[2.0, 0.5], [0.0, 1.0]], [[0.0, 3.0, 1.0], [1.0, 0.0, 0.0]]
UNLABELLED = {"verb": [-1, -1], "noun": [-1, -1]}


def test_the_file_holds_every_score_and_the_best_actions(tmp_path) -> None:
    file = tmp_path / "test.json"
    write_submission(Submission(file, (5, 3, 0)), predictions({"verb": VERBS, "noun": NOUNS}, UNLABELLED), ONE)
    found = json.loads(file.read_text())
    head = {name: value for name, value in found.items() if name != "results"}
    assert head == {"version": "0.2", "challenge": "action_recognition", "sls_pt": 5, "sls_tl": 3, "sls_td": 0}
    assert list(found["results"]) == ["a0", "a1"]
    first = found["results"]["a0"]
    assert first["verb"] == {"0": 2.0, "1": 0.5}
    assert first["noun"] == {"0": 0.0, "1": 3.0, "2": 1.0}
    assert next(iter(first["action"])) == "0,1"
    assert len(first["action"]) == 6
    product = np.exp(2) / (np.exp(2) + np.exp(0.5)) * np.exp(3) / (1 + np.exp(3) + np.exp(1))
    assert first["action"]["0,1"] == pytest.approx(np.log(product), abs=1e-4)


def test_no_more_than_a_hundred_actions_are_written(tmp_path) -> None:
    scores = {"verb": np.arange(12.0)[None].tolist(), "noun": np.arange(30.0)[None].tolist()}
    file = tmp_path / "test.json"
    write_submission(Submission(file, (0, 0, 0)), predictions(scores, {"verb": [-1], "noun": [-1]}), ONE)
    assert len(json.loads(file.read_text())["results"]["a0"]["action"]) == 100


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({"scores": {"verb": VERBS}}, "the run has no noun head.*--label noun"),
        (
            {"scores": {"verb": VERBS[:1], "noun": NOUNS[:1]}, "rows": [1]},
            "1 of 2 clips have no scores, the first is a0",
        ),
        (
            {"scores": {"verb": [[np.inf, 0.0], [0.0, 0.0]], "noun": NOUNS}},
            "1 clips have a verb score that is no finite",
        ),
    ],
)
def test_what_is_not_whole_is_refused_and_nothing_is_written(tmp_path, made, text) -> None:
    item = predictions(labels=UNLABELLED, **made)
    with pytest.raises(InputError, match=text):
        write_submission(Submission(tmp_path / "test.json", (0, 0, 0)), item, ONE)
    assert not list(tmp_path.iterdir())


def test_levels_are_three_numbers_from_0_to_5() -> None:
    assert parse_levels("2, 3,4") == (2, 3, 4)
    for wrong in ("2,3", "2,3,6", "a,b,c", ""):
        with pytest.raises(UsageError, match="expected PT,TL,TD, 0 to 5 each"):
            parse_levels(wrong)
