from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine.shards import FAILURES, side_path
from pipelines.predict.answer import Answer, ClipAnswers
from pipelines.predict.answers import softmax
from tests.pipelines.kitchen_world import Kitchen


def test_shares_add_up_to_one_and_large_logits_do_not_overflow() -> None:
    assert softmax(np.array([1e4, 1e4, -1e4], np.float32)) == pytest.approx([0.5, 0.5, 0.0])
    assert softmax(np.array([3.0], np.float32)).tolist() == [1.0]
    assert softmax(np.array([0.0, np.log(3)], np.float32)) == pytest.approx([0.25, 0.75])


def test_a_clip_is_plain_values_as_a_line_of_json() -> None:
    clip = ClipAnswers("a.mp4", 0.0, 1.0, None, {"noun": [Answer("cup", 0.75, 2.0)]}, ("noun",), None)
    assert clip.as_dict() == {
        "video": "a.mp4",
        "start_s": 0.0,
        "stop_s": 1.0,
        "name": None,
        "nouns": [{"name": "cup", "probability": 0.75, "score": 2.0}],
        "none_of_these": ["noun"],
        "failed": None,
    }
    assert (len(clip.nouns), len(clip.verbs)) == (1, 0)


def test_a_clip_without_scores_has_the_failure_of_the_frame_nearest_to_its_middle(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    predictor = kitchen.load(kitchen.zero_shot)
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s\na,0,1\na,5,6\na,0,6\n")
    footage = predictor.embed([kitchen.video("a.mp4")], segments=tmp_path / "clips.csv", cache=tmp_path / "cache")
    answers = predictor.predict(footage)
    (video,) = answers.video_facts.values()
    tick = video["time_base_numerator"] / video["time_base_denominator"]

    def told(*seconds: float) -> list[str | None]:
        """The reasons when frames at these instants failed, and nothing else did."""
        rows = [
            {"video_id": video["video_id"], "pts": video["first_pts"] + round(at / tick), "reason": "bad", "error": at}
            for at in seconds
        ]
        folder = tmp_path / f"failed-{len(seconds)}"
        side_path(folder / "part-a.parquet", "failures").parent.mkdir(parents=True)
        (folder / "part-a.parquet").touch()
        table = pa.Table.from_pylist([{**row, "error": str(row["error"])} for row in rows], schema=FAILURES)
        pq.write_table(table, side_path(folder / "part-a.parquet", "failures"))
        return [clip.failed for clip in replace(answers, failures=[folder])]

    assert told(1.0, 3.5, 5.0) == [None, "bad: 5.0", "bad: 3.5"]
    assert told() == [None] + ["its frames are not all there"] * 2
