from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.chain.status import status
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.evaluate.clip_list import read_clip_list
from pipelines.evaluate.result_card import read_card
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.score import ScoreRequest
from pipelines.evaluate.score import score as score_files
from pipelines.evaluate.trained import find_run
from pipelines.report.collect import collect
from pipelines.report.write import write_report
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run


@pytest.fixture
def evaluated(embedded):
    train_run(
        embedded,
        plan_run(embedded, TrainOptions("mine", set={"epochs": 1, "batch": 4}, streams="full", classify="full")),
        Machine(device="cpu"),
        Silent(),
    )
    targets = [("mine", "val"), ("other", "val")]
    found = evaluate(embedded, find_run(embedded, None), targets, Machine(device="cpu"), Silent())
    return embedded, [item.as_dict() for item in found]


@pytest.fixture
def scores(embedded, tmp_path):
    """Writes noun scores of some clips of 'other' as CSV: class 0 is always best."""

    def write(rows=slice(None)):
        ids = read_rows(embedded.manifest("other", "val") / "clips.parquet", ["clip_id"]).column(0).to_pylist()
        file = tmp_path / "scores.csv"
        with file.open("w", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(["clip_id", *(f"noun:{number}" for number in range(4))])
            writer.writerows([clip_id, 4, 3, 2, 1] for clip_id in ids[rows])
        return file

    return write


def score(workspace, wanted, progress):
    return score_files(workspace, wanted, progress).as_dict()


def request(file, **others):
    return ScoreRequest(**{"files": [file], "name": "theirs", "dataset": "other", "split": "val", **others})


def without_run(labels):
    return {name: {k: v for k, v in of.items() if k != "selected_epoch"} for name, of in labels.items()}


def test_an_evaluations_own_predictions_give_its_own_numbers(evaluated):
    workspace, (within, cross) = evaluated
    for metrics in (within, cross):
        dataset = metrics["target"]["dataset"]
        file = workspace.root / "evaluations" / metrics["run"]["name"] / f"{dataset}-val/predictions.parquet"
        found = score(workspace, request(file, dataset=dataset, source="mine"), Silent())
        again = read_rows(workspace.root / f"evaluations/theirs/{dataset}-val/predictions.parquet")
        assert again.equals(read_rows(file))
        assert found["within"] == metrics["within"]
        assert found["vocabulary"] == metrics["vocabulary"]
        if dataset == "other":
            # The run's temperature was fitted within its own dataset, which a file of scores does not have.
            for of in (*found["labels"].values(), *metrics["labels"].values()):
                of.pop("calibration")
        assert without_run(found["labels"]) == without_run(metrics["labels"])
    assert found["actions"]["n_evaluated"] == cross["actions"]["n_evaluated"] == 6


def test_the_card_of_a_run_and_of_its_scores_have_one_protocol_and_one_accuracy(evaluated):
    workspace, (_, cross) = evaluated
    folder = workspace.root / "evaluations" / cross["run"]["name"] / "other-val"
    given = score(workspace, request(folder / "predictions.parquet", source="mine"), Silent())
    run, theirs = read_card(folder / "card.json"), read_card(workspace.root / "evaluations/theirs/other-val/card.json")
    assert run.protocol_sha256 == theirs.protocol_sha256
    assert run.numbers["noun top1"] == theirs.numbers["noun top1"]
    assert (run.model.seed, theirs.model.seed) == (0, None)
    assert theirs.predictions.given == given["given_files"]


def test_only_prepare_is_needed_and_a_report_shows_the_row(embedded, scores):
    for folder in ("frames", "embeddings", "hands", "text"):
        (embedded.root / folder).rename(embedded.root / f"no-{folder}")
    found = score(embedded, request(scores()), Silent())
    # Two of six clips are of class 0.
    assert found["labels"]["noun"]["top1"] == pytest.approx(100 / 3)
    assert list(found["labels"]) == ["noun"]
    (row,) = collect(embedded).rows
    assert (row.method, row.name, str(row.source), str(row.cross)) == (
        "scored: theirs",
        "theirs",
        "not said",
        "other val",
    )
    assert row.cells["noun cross"].value == pytest.approx(100 / 3)
    assert collect(embedded).gaps == []
    written = write_report(embedded)
    assert "how the model was trained is not known here" in Path(written["markdown"]).read_text()
    page = Path(written["html"]).read_text()
    assert "scored: theirs" in page
    assert "<dt>run</dt><dd>scores that were given; how" in page
    assert "seed None" not in page + Path(written["markdown"]).read_text()


def test_some_clips_are_allowed_and_counted(embedded, scores):
    noun = score(embedded, request(scores(slice(0, 2))), Silent())["labels"]["noun"]
    assert (noun["n_evaluated"], noun["n_official"]) == (2, 6)
    assert noun["top1"] in (0, 50, 100)
    card = read_card(embedded.root / "evaluations/theirs/other-val/card.json")
    assert card.partial
    assert card.coverage == {"noun": (2, 6)}


def test_a_list_of_clips_is_another_protocol(embedded, scores, tmp_path):
    file = scores()
    whole = score(embedded, request(file), Silent())
    before = read_card(embedded.root / "evaluations/theirs/other-val/card.json")
    (tmp_path / "clips.txt").write_text(file.read_text().splitlines()[1].split(",")[0])
    listed = score(embedded, request(file, listed=read_clip_list(tmp_path / "clips.txt")), Silent())
    after = read_card(embedded.root / "evaluations/theirs/other-val/card.json")
    assert (whole["labels"]["noun"]["n_official"], listed["labels"]["noun"]["n_official"]) == (6, 1)
    assert before.protocol_sha256 != after.protocol_sha256
    assert not after.partial


def test_the_same_scores_are_written_once_and_others_again(embedded, scores):
    parts = slice(None), slice(None), slice(1)
    assert [score(embedded, request(scores(part)), Silent())["made"] for part in parts] == [1, 0, 1]


def test_a_source_elsewhere_is_kept_and_its_classes_are_not_guessed(embedded, scores):
    found = score(embedded, request(scores(), source="kinetics"), Silent())
    assert (found["source"]["dataset"], found["vocabulary"], found["within"]) == ("kinetics", {}, False)


def test_a_runs_name_is_not_taken_and_a_path_is_no_name(evaluated, scores):
    workspace, (_, cross) = evaluated
    for name, said in (
        (cross["run"]["name"], "a run of .* has this name"),
        ("../up", "not a path"),
        ("a@zero", "not a path"),
        ("latest", "not a path"),
    ):
        with pytest.raises(UsageError, match=said):
            score(workspace, request(scores(), name=name), Silent())


def test_what_is_not_prepared_is_named_and_nothing_is_written_of_a_bad_file(embedded, scores):
    with pytest.raises(MissingUpstream, match="nobody has no prepared val split. Run xmic prepare"):
        score(embedded, request(scores(), dataset="nobody"), Silent())
    file = scores()
    file.write_text(file.read_text().replace(",4,", ",inf,", 1))
    with pytest.raises(InputError, match="row 2, column noun:0: found inf"):
        score(embedded, request(file), Silent())
    assert not (embedded.root / "evaluations").exists()


def test_status_tells_when_the_classes_or_clips_are_others_now(embedded, scores):
    from pipelines.prepare.classes import read_classes
    from tests.pipelines.class_lists import write_classes

    score(embedded, request(scores()), Silent())
    (found,) = (item for item in status(embedded) if item.stage == "score")
    assert (found.done, found.stale, found.next) == (1, 0, "")
    table = read_classes(embedded, "other", "noun")
    write_classes(embedded, "other", "noun", table.set_column(2, "name", [["a", "b", "c", "d"]]))
    (found,) = (item for item in status(embedded) if item.stage == "score")
    assert (found.done, found.stale) == (0, 1)
    assert found.next.startswith("xmic score FILE --dataset other --split val --name theirs")


def test_metrics_say_what_was_given_and_nothing_of_where(embedded, scores):
    score(embedded, request(scores()), Silent())
    text = (embedded.root / "evaluations/theirs/other-val/metrics.json").read_text()
    assert list(json.loads(text)["given_files"]) == ["scores.csv"]
    assert str(embedded.root) not in text
