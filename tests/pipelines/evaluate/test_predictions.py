from __future__ import annotations

import numpy as np

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.evaluate.predictions import read_predictions
from pipelines.evaluate.stage import evaluation_stage
from pipelines.evaluate.trained import find_run
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from tests.pipelines.evaluate.hand_made import predictions


def test_only_labelled_clips_are_scored_and_all_labelled_ones_are_official() -> None:
    item = predictions({"noun": [[0, 1], [3, 2], [5, 4]]}, {"noun": [1, -1, 0, 0]}, rows=[0, 1, 2])
    found = item.of("noun")
    assert found.rows.tolist() == [0, 2]
    assert found.truth.tolist() == [1, 0]
    assert found.official.tolist() == [1, 0, 0]
    assert (found.predicted.tolist(), found.ranks.tolist(), found.classes) == ([1, 0], [0, 0], 2)


def test_the_scores_of_a_file_go_to_the_listed_clips(embedded) -> None:
    from pipelines.evaluate.run import evaluate

    request = TrainOptions("mine", "zero-shot", classify="full")
    planned = plan_run(embedded, request)
    train_run(embedded, planned, Machine(device="cpu"), Silent())
    run = find_run(embedded, planned.name)
    evaluate(embedded, run, [("mine", "val")], Machine(device="cpu"), Silent())
    item = evaluation_stage(embedded, run, "mine", "val")
    every, one = (
        read_predictions(
            item.folder / "predictions.parquet",
            item.clips if listed is None else item.clips.only(listed),
            {"noun": 3},
        )
        for listed in (None, {item.clips.clip_ids[4]})
    )
    assert len(every.rows) == 6
    assert one.clips.clip_ids == [item.clips.clip_ids[4]]
    assert one.rows.tolist() == [0]
    assert np.array_equal(one.scores["noun"][0], every.scores["noun"][list(every.rows).index(4)])
    assert one.of("noun").official.tolist() == [item.clips.labels["noun"][4]]
    assert every.clips.nouns[4] == [item.clips.labels["noun"][4]]
