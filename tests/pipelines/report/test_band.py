from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.engine.workspace import Workspace
from pipelines.report.band import Caution, cautions, sentences, verdict
from pipelines.report.collect import collect
from pipelines.report.headlines import headlines
from tests.pipelines.report.evaluations import both, evaluation

Put = Callable[..., Path]


def _spread(made: list[dict]) -> list[dict]:
    """Make recordings differ, so that a difference has an interval."""
    for one in made:
        for label in one["labels"].values():
            for number, counts in enumerate(label["recordings"].values()):
                counts[0] += 50 if number % 2 else -50
    return made


def _found(workspace: Workspace, evaluated: Put, *made: dict) -> list[Caution]:
    evaluated(*made)
    return cautions(collect(workspace))


def test_nouns_and_verbs_of_a_pair_of_runs_are_one_sentence(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*_spread(both(run={"changed_recipe": {"epochs": 3}})), *both("zero-shot", right=2))
    within, cross = sentences(headlines(collect(workspace).evaluations), controls=False)
    assert (within.name, within.notes, within.trained_on) == ("xmic official", "epochs=3", "ego4d")
    assert within.place == "40,000 clips of ego4d val"
    assert cross.place == "40,000 clips of epic val"
    nouns, verbs = within.differences
    assert (nouns.label, nouns.numbers, nouns.points) == ("nouns", "30.0 against 20.0", "+10.0")
    assert (verbs.label, verbs.interval, verbs.significant, verbs.few) == ("verbs", "+8.5 to +11.5", True, False)


def test_controls_are_apart(workspace: Workspace, evaluated: Put) -> None:
    control = evaluation(frame_order="reversed", run={"name": "altered"})
    evaluated(evaluation(), control, evaluation("zero-shot"))
    lines = headlines(collect(workspace).evaluations)
    assert [one.notes for one in sentences(lines, controls=False)] == [""]
    assert [one.notes for one in sentences(lines, controls=True)] == ["frames reversed"]


def test_x_mic_is_said_before_other_methods(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*both("coop"), *both(run={"preset": "paper"}), *both("zero-shot"))
    lines = headlines(collect(workspace).evaluations)
    assert [one.name for one in sentences(lines, controls=False)] == ["xmic paper"] * 2 + ["coop official"] * 2


def test_the_verdict_counts_all_comparisons_but_those_of_controls(workspace: Workspace, evaluated: Put) -> None:
    control = evaluation(frame_order="reversed", run={"name": "altered"})
    made = [*both(right=3), *both("coop", right=1), *both("a5", right=2)]
    evaluated(*_spread(made), *both("a6"), control, *both("zero-shot", right=2))
    lines = headlines(collect(workspace).evaluations)
    assert verdict(lines) == (
        "Of 16 comparisons with zero-shot, 4 are significantly better, 4 are significantly worse, "
        "4 are not significant and 4 have no interval."
    )
    assert verdict(lines[:2]) == ""
    assert verdict([line for line in lines if not line.significant]) == (
        "None of 8 comparisons with zero-shot is significant; 4 have no interval."
    )


def test_a_difference_without_an_interval_is_not_said_to_be_insignificant(workspace: Workspace, evaluated: Put) -> None:
    evaluated(*both(), *both("zero-shot", right=2))
    lines = headlines(collect(workspace).evaluations)
    (first, *_) = sentences(lines, controls=False)[0].differences
    assert (first.interval, first.said, first.significant) == ("no interval", "", False)
    assert verdict(lines) == "None of 4 comparisons with zero-shot is significant; 4 have no interval."


def test_a_sound_report_needs_no_caution(workspace: Workspace, evaluated: Put) -> None:
    assert _found(workspace, evaluated, *both()) == []


def test_few_clips_are_said_with_their_recordings(workspace: Workspace, evaluated: Put) -> None:
    few = evaluation()
    for numbers in few["labels"].values():
        numbers |= {"recordings": {"v0": [3, 10], "v1": [0, 2], "v2": [0, 0]}, "n_evaluated": 12, "n_official": 12}
    (caution,) = _found(workspace, evaluated, few)
    assert (caution.kind, caution.title) == ("note", "Few clips")
    assert caution.text.endswith("are grey: epic val has 12 clips of 2 recordings.")


def test_frames_without_hands_are_said_once_a_target(workspace: Workspace, evaluated: Put) -> None:
    made = [evaluation(method, hand_fallback_rate=0.25) for method in ("xmic", "coop")]
    (caution,) = _found(workspace, evaluated, *made)
    assert caution.text == "25 % of the frames of epic val. The full frame was taken instead."


def test_what_makes_numbers_wrong_comes_first(workspace: Workspace, evaluated: Put) -> None:
    made = evaluation(
        random_weights=["vit-random"],
        pretrained_on={"lavila": "Ego4D"},
        mixed=[{"what": "precision", "run": "bf16", "target": "fp32"}],
        run={"leaking": True, "select": "target", "select_target": "epic:val"},
    )
    made["labels"]["noun"]["n_official"] += 1
    found = _found(workspace, evaluated, made)
    assert [(one.kind, one.title) for one in found] == [
        ("warn", "Random weights"),
        ("warn", "Mixed artifacts"),
        ("warn", "Leaking"),
        ("warn", "Clips are missing"),
        ("note", "Pretrained encoders"),
    ]
    assert found[3].items == ["xmic-ego4d-s0 on epic val: 40,000 of 40,001 clips with a noun"]
