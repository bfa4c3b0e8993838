from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from data_manifests.errors import MissingUpstream
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.evaluation import harmonic_mean_of
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.collect import Gap, apart_notes, collect, method_title

Make = Callable[..., dict]
Put = Callable[..., Path]
RUN = "xmic-official-clips-s0-1a2b3c4d"


def _prepared(workspace: Workspace, *datasets: str) -> None:
    for dataset in datasets:
        workspace.manifest(dataset, "val").mkdir(parents=True)
        (workspace.manifest(dataset, "val") / "clips.parquet").touch()


def test_without_evaluations_the_command_that_makes_one_is_named(workspace: Workspace) -> None:
    folder = workspace.root / "evaluations"
    with pytest.raises(
        MissingUpstream, match=re.escape(f"{folder}: no evaluation. Run xmic evaluate -w {workspace.root}")
    ):
        collect(workspace)


def test_a_row_joins_within_and_cross_by_their_harmonic_mean(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    cross = metrics("epic")
    cross["labels"]["noun"].update(top1=75.0, top5=80.0, class_mean=60.0, n_evaluated=5, n_official=5)
    evaluated(metrics(), cross)
    (row,) = collect(workspace).rows
    assert (str(row.within), str(row.cross), row.marks) == ("clips val", "epic val", "")
    shown = {name: (cell.text, cell.clips) for name, cell in row.cells.items() if name.startswith("noun")}
    assert shown == {
        "noun within": ("25.00", "4/4"),
        "noun cross": ("75.00", "5/5"),
        "noun hm": ("37.50", "9/9"),
        "noun top-5": ("80.00", "5/5"),
        "noun class mean": ("60.00", "5/5"),
    }


def test_intervals_are_those_of_the_evaluations_and_a_run_s_training_data_is_looked_at_once(
    workspace: Workspace, evaluated: Put, metrics: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(
        "pipelines.report.collect.what_it_learned_from_has_changed",
        lambda _, head: looked.append(f"{head.parent.name}/{head.name}"),
    )
    both = [metrics(), metrics("epic")]
    for made in both:
        made["labels"]["noun"]["recordings"] = {f"v{k}": [7 * k % 11, 11 + k] for k in range(12)}
    evaluated(*both)
    found = collect(workspace)
    within, cross = (next(m for m in found.evaluations if m.within is own) for own in (True, False))
    cells = found.rows[0].cells
    assert cells["noun within"].interval == within.interval(within.labels["noun"])
    assert cells["noun cross"].interval == cross.interval(cross.labels["noun"])
    assert cells["noun within"].interval != cells["noun cross"].interval
    assert cells["noun hm"].interval == harmonic_mean_of(within, cross, "noun").interval
    assert sorted(looked) == [f"{RUN}/noun", f"{RUN}/verb"]


def test_a_run_gets_a_row_for_every_cross_target(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(), metrics("ego4d"), metrics("epic"), metrics("egtea", run="other"))
    rows = collect(workspace).rows
    assert [(row.run.name, str(row.within), str(row.cross)) for row in rows] == [
        ("other", "None", "egtea val"),
        (RUN, "clips val", "ego4d val"),
        (RUN, "clips val", "epic val"),
    ]


def test_a_cross_evaluation_is_paired_with_the_split_of_the_same_name(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(metrics(split="test"), metrics(split="val"), metrics("epic", "val"), metrics("ego4d", "train"))
    pairs = [(str(row.within), str(row.cross)) for row in collect(workspace).rows]
    assert pairs == [("clips test", "ego4d train"), ("clips val", "epic val")]


def test_a_test_split_without_labels_does_not_take_the_place_of_one_with_labels(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    challenge = metrics(split="test")
    for numbers in challenge["labels"].values():
        numbers |= {"top1": None, "top5": None, "class_mean": None, "n_evaluated": 0, "n_official": 0, "recordings": {}}
    evaluated(challenge, metrics(split="val"), metrics("egtea", "test"))
    pairs = [(str(row.within), str(row.cross)) for row in collect(workspace).rows]
    assert pairs == [("clips test", "None"), ("clips val", "egtea test")]


def test_no_evaluation_is_left_out_of_the_table(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics(split="test"), metrics(split="val"), metrics("epic", "val"))
    pairs = [(str(row.within), str(row.cross)) for row in collect(workspace).rows]
    assert pairs == [("clips test", "None"), ("clips val", "epic val")]


def test_fewer_clips_than_the_split_has_mark_the_cell_and_the_mean(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    cross = metrics("epic")
    cross["labels"]["noun"]["n_evaluated"] = 3
    evaluated(metrics(), cross)
    cells = collect(workspace).rows[0].cells
    assert [cells[f"noun {kind}"].text for kind in ("within", "cross", "hm")] == ["25.00", "25.00*", "25.00*"]
    assert cells["noun hm"].clips == "7/8"


def test_empty_cells_name_the_command_that_fills_them(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    evaluated(metrics())
    found = collect(workspace)
    cells = found.rows[0].cells
    assert (cells["noun cross"].text, cells["noun hm"].text, cells["noun top-5"].text) == ("–", "–", "100.00")
    assert found.gaps == [Gap(f"{RUN} is not evaluated on another dataset", f"xmic evaluate {RUN} --cross DATASET")]


def test_prepared_datasets_are_offered_as_cross_targets(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    _prepared(workspace, "clips", "epic", "my own")
    evaluated(metrics())
    (gap,) = collect(workspace).gaps
    assert gap.command == f"xmic evaluate {RUN} --cross epic --cross 'my own'"


def test_a_run_without_its_own_evaluation_is_told_how_to_get_one(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(metrics("epic"))
    assert collect(workspace).gaps == [Gap(f"{RUN} is not evaluated within clips", f"xmic evaluate {RUN}")]


def test_a_head_that_was_not_trained_is_empty_and_told_how_to_train(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    made = [metrics(), metrics("epic")]
    for item in made:
        del item["labels"]["verb"]
    evaluated(*made)
    found = collect(workspace)
    assert found.rows[0].cells["verb hm"].text == "–"
    assert found.gaps == [Gap(f"{RUN} has no verb head", "xmic train clips --label verb")]


def test_a_split_of_which_no_clip_could_be_evaluated_is_no_zero(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    cross = metrics("epic")
    cross["labels"]["noun"].update(top1=None, top5=None, class_mean=None, n_evaluated=0)
    evaluated(metrics(), cross)
    found = collect(workspace)
    cells = found.rows[0].cells
    assert (cells["noun cross"].text, cells["noun cross"].clips, cells["noun hm"].value) == ("–*", "0/4", None)
    assert found.gaps[0].why == f"{RUN} on epic val: no clip with a noun has its vectors"


def test_random_weights_and_mixed_artifacts_mark_the_rows_they_touch_and_no_other(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(
        metrics(),
        metrics("epic", mixed=[{"what": "precision", "run": "bf16", "target": "fp32"}]),
        metrics("ego4d"),
        metrics(run="random-run", random_weights=["vit-random"]),
    )
    found = collect(workspace)
    assert [(row.run.name, str(row.cross), row.marks) for row in found.rows] == [
        ("random-run", "None", "R"),
        (RUN, "ego4d val", ""),
        (RUN, "epic val", "M"),
    ]
    assert found.random_weights == ["vit-random"]
    assert found.mixed == [f"{RUN} on epic val: precision bf16 against fp32"]


def test_every_preset_stands_with_its_method(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    presets = ("official", "paper", "recommended")
    evaluated(
        *(metrics(run=preset) | {"run": {**metrics()["run"], "name": preset, "preset": preset}} for preset in presets)
    )
    assert [row.method for row in collect(workspace).rows] == ["xmic official", "xmic paper", "xmic recommended"]


def test_the_presets_of_zero_shot_are_one_and_scores_have_none(metrics: Make) -> None:
    run = Metrics.model_validate(metrics()).run
    assert method_title(run.model_copy(update={"method": "zero-shot"})) == "zero-shot"
    assert method_title(run.model_copy(update={"method": "scored: mine", "preset": None})) == "scored: mine"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"recipe": "custom"}, "xmic official (recipe custom)"),
        ({"recipe": "custom", "changed_recipe": {"epochs": 3}}, "xmic official (epochs=3)"),
        (
            {"recipe": "matched, custom", "changed_recipe": {"epochs": 3, "fixed_frames": True}},
            "xmic official (recipe matched; epochs=3; fixed frames)",
        ),
        ({"changed_settings": {"n1": False}}, "xmic official (n1=False)"),
        ({"changed_recipe": {"precision": "bf16"}}, "xmic official (precision=bf16)"),
    ],
)
def test_a_custom_recipe_says_what_differs_where_that_is_known(
    metrics: Make, changes: dict[str, object], title: str
) -> None:
    assert method_title(Metrics.model_validate(metrics()).run.model_copy(update=changes)) == title


def test_numbers_over_few_recordings_are_marked(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    many = metrics("epic")
    many["labels"]["noun"]["recordings"] = {f"v{number}": [1, 4] for number in range(30)}
    evaluated(metrics(), many)
    cells = collect(workspace).rows[0].cells
    assert [cells[f"noun {kind}"].few for kind in ("within", "cross", "hm", "top-5")] == [True, False, True, False]


def test_versions_are_common_only_when_all_evaluations_have_them(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(metrics(), metrics("epic"))
    assert collect(workspace).common_versions == {"torch": "2.14.1", "xmic": "0.1.0"}
    evaluated(metrics("epic", versions={"torch": "2.6.0"}))
    assert collect(workspace).common_versions is None


def test_rows_of_an_encoder_that_was_pretrained_on_egocentric_data_are_marked(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    evaluated(metrics(), metrics(run="lavila-run", pretrained_on={"lavila-c89337": "Ego4D"}))
    found = collect(workspace)
    assert {(row.run.name, row.marks, row.pretrained_on) for row in found.rows} == {
        (RUN, "", ""),
        ("lavila-run", "P", "Ego4D"),
    }
    assert found.pretrained_on == ["lavila-c89337 was pretrained on Ego4D"]


def test_a_row_says_what_is_not_the_default_of_its_method(workspace: Workspace, evaluated: Put, metrics: Make) -> None:
    made = metrics()
    made["run"] |= {"preset": "paper", "recipe": "matched", "select": "source-val", "source_val": 10.0}
    evaluated(made | {"xmic_vector": "mean"})
    (row,) = collect(workspace).rows
    assert row.method == "xmic paper (recipe matched; epoch by source-val; X-MIC vector mean)"
    assert (row.name, row.marks) == (f"{RUN}@mean", "")


def test_runs_of_one_method_are_named_by_the_settings_in_which_they_differ(
    workspace: Workspace, evaluated: Put, metrics: Make, configured: Callable[..., None]
) -> None:
    runs = {"xmic-official-clips-s0-aaaaaaaa": {"segments": 8}, "xmic-official-clips-s0-bbbbbbbb": {"segments": 16}}
    for run, protocol in runs.items():
        configured(run, streams="hand", **protocol)
    evaluated(*(metrics(run=run) for run in [*runs, "xmic-official-clips-s1-cccccccc"]))
    titles = [row.method for row in collect(workspace).rows]
    assert titles == ["xmic official (segments=8; streams=hand)", "xmic official (segments=16; streams=hand)"] + [
        "xmic official"  # whose run is not in the workspace any more
    ]


def test_a_setting_that_the_evaluation_itself_names_is_named_once(metrics: Make) -> None:
    made = Metrics.model_validate(metrics()).model_copy(update={"apart": {"epochs": 3, "select": "best", "v2": "dino"}})
    changed = made.model_copy(update={"run": made.run.model_copy(update={"changed_recipe": {"epochs": 3}})})
    assert apart_notes(changed) == ["v2=dino"]


def test_a_control_is_a_row_of_its_own_and_no_gap_of_it_is_to_be_trained(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    plain, control = metrics(), metrics(xmic_vector="zero")
    for made in (plain, control):
        del made["labels"]["verb"]
    evaluated(plain)
    folder = workspace.root / "evaluations" / f"{RUN}@zero" / "clips-val"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(control))
    found = collect(workspace)
    assert [row.method for row in found.rows] == ["xmic official", "xmic official (X-MIC vector zero)"]
    commands = [gap.command for gap in found.gaps]
    assert commands == [
        f"xmic evaluate {RUN} --cross DATASET",
        "xmic train clips --label verb",
        f"xmic evaluate {RUN} --cross DATASET --xmic-vector zero",
    ]


def test_an_epoch_chosen_by_a_target_marks_its_rows_and_is_told_once_a_run(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    made = [metrics(), metrics("epic")]
    for one in made:
        one["run"] |= {"select": "target", "select_target": "epic:val", "leaking": True}
    evaluated(*made)
    found = collect(workspace)
    assert [row.marks for row in found.rows] == ["L"]
    assert found.leaking == [f"{RUN}, chosen by epic:val"]


def test_the_command_of_a_missing_head_has_the_terms_of_the_other(
    workspace: Workspace, evaluated: Put, metrics: Make
) -> None:
    made = metrics()
    del made["labels"]["verb"]
    terms = {"recipe": "matched", "source_val": 10.0, "select": "target", "select_target": "epic:val", "leaking": True}
    made["run"] |= terms
    evaluated(made)
    options = "--label verb --recipe matched --source-val 10% --select target --target epic:val"
    assert any(gap.command == f"xmic train clips {options}" for gap in collect(workspace).gaps)
