from __future__ import annotations

import numpy as np
import pytest

from pipelines.predict.answers import Answer, ClipAnswers, softmax


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
