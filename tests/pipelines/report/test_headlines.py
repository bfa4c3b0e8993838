from __future__ import annotations

import pytest

from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.headlines import beside_zero_shot, headlines, plain, signed
from tests.pipelines.evaluate.cards import METRICS

TARGET = {"dataset": "other", "split": "val"}


def numbers(right: int, recordings: int = 40) -> dict[str, object]:
    # The recordings differ by the more, the more clips are right: so a difference has a spread.
    counts = {f"r{number}": (right / recordings * (1 + (-1) ** number / 2), 5) for number in range(recordings)}
    top1 = 100 * right / (5 * recordings)
    return {
        "n_evaluated": 5 * recordings, "n_official": 5 * recordings, "recordings": counts, "top1": top1, "top5": top1,
        "class_mean": top1, "classes": 4, "classes_present": 4,
    }  # fmt: skip


def evaluation(method: str, right: int, **changes: object) -> Metrics:
    run = {**METRICS["run"], "method": method, "name": f"{method}-run", "preset": "official", "seed": 0}
    found = {**METRICS, "run": run, "target": TARGET, "within": False, "labels": {"noun": numbers(right)}, **changes}
    return Metrics(**found)


def test_a_difference_is_paired_and_says_whether_it_is_significant():
    (line,) = headlines([evaluation("zero-shot", 40), evaluation("xmic", 60)])
    assert (line.clips, line.top1, line.zero_shot, line.difference) == (200, 30.0, 20.0, 10.0)
    assert line.interval == pytest.approx((8.5, 11.5))
    assert line.significant
    assert line.points == "+10.0 (+8.5 to +11.5)"
    assert line.text.startswith(
        "xmic official trained on not said against zero-shot on 200 clips of other val: nouns 30.0 against 20.0, +10.0"
    )
    assert plain(line)["significant"] is True


def test_a_small_difference_is_said_to_be_not_significant():
    elsewhere = {f"r{number}": (1 + (-1) ** (number // 2) / 2, 5) for number in range(40)}
    mine = evaluation("xmic", 40, labels={"noun": numbers(40) | {"recordings": elsewhere}})
    (line,) = headlines([evaluation("zero-shot", 40), mine])
    assert line.interval is not None
    assert not line.significant
    assert line.text.endswith(", not significant")


def test_a_difference_without_spread_is_said_to_have_no_interval():
    (line,) = headlines([evaluation("zero-shot", 40), evaluation("xmic", 40)])
    assert (line.interval, line.significant) == (None, False)
    assert line.text.endswith(", 0.0 (no interval)")


def test_zero_shot_of_the_same_classified_stream_is_taken_and_no_control():
    mine = evaluation("xmic", 60, protocol={**METRICS["protocol"], "classify": "hand"})
    full, hand = (
        evaluation("zero-shot", right, protocol={**METRICS["protocol"], "classify": stream})
        for right, stream in ((20, "full"), (40, "hand"))
    )
    control = hand.model_copy(update={"frame_order": "reversed"})
    assert beside_zero_shot(mine, [full, control, hand]) is hand
    assert beside_zero_shot(mine, [full]) is full
    other = evaluation("zero-shot", 20, target={"dataset": "third", "split": "val"})
    assert beside_zero_shot(mine, [other]) is None
    assert headlines([mine, other]) == []


def test_a_control_has_a_line_of_its_own_that_says_what_is_altered():
    base, mine = evaluation("zero-shot", 40), evaluation("xmic", 60)
    reordered = evaluation("xmic", 50, frame_order="reversed")
    assert [line.method for line in headlines([base, mine, reordered])] == [
        "xmic official",
        "xmic official (frames reversed)",
    ]


def test_other_clips_are_not_compared():
    fewer = evaluation("zero-shot", 10, labels={"noun": numbers(10, recordings=20)})
    assert headlines([fewer, evaluation("xmic", 60)]) == []


def test_seeds_are_one_line_with_their_mean():
    seeds = []
    for seed, right in enumerate((50, 60, 70)):
        made = evaluation("xmic", right)
        run = made.run.model_copy(
            update={"seed": seed, "name": f"xmic-s{seed}", "key": str(seed), "recipe": "published"}
        )
        seeds.append(made.model_copy(update={"run": run}))
    (line,) = headlines([evaluation("zero-shot", 40), *seeds])
    assert (line.seeds, line.top1, line.difference) == ([0, 1, 2], pytest.approx(30.0), pytest.approx(10.0))
    assert line.run == "xmic-s0"
    assert "mean of 3 seeds" in line.text


def test_the_same_seed_twice_is_two_lines():
    again = evaluation("xmic", 50)
    runs = [again.run.model_copy(update={"key": key, "name": f"xmic-{key}"}) for key in ("a", "b")]
    made = [again.model_copy(update={"run": run}) for run in runs]
    assert [line.run for line in headlines([evaluation("zero-shot", 40), *made])] == ["xmic-a", "xmic-b"]


def test_signs_are_written_and_nothing_rounds_to_minus_zero():
    assert [signed(points) for points in (2.46, -5.0, -0.04, 0.0)] == ["+2.5", "-5.0", "0.0", "0.0"]
