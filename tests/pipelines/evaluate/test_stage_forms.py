"""Evaluations of other forms than the ordinary one: zero-shot's streams and prompts, controls, chosen epochs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from data_manifests.errors import UsageError
from pipelines.chain.status import status
from pipelines.embed.text import text_stages
from pipelines.engine import stage
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_rows
from pipelines.evaluate.calibration import Temperature, fit_temperature
from pipelines.evaluate.options import Control
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.stage import evaluation_stage
from pipelines.evaluate.trained import find_run
from pipelines.report.collect import collect
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run
from tests.pipelines.run_configs import written_otherwise

TARGETS = [("mine", "val"), ("other", "val")]
TABLE_7 = [
    "{}",
    "Image of a {}",
    "Video of a {}",
    "Egocentric image a {}",
    "Image of a hand holding a {}",
    "Egocentric image of a hand holding {}",
]


def run(workspace, method="xmic", **changes):
    planned = plan_run(workspace, TrainOptions("mine", method, **{"label": "noun", **changes}))
    train_run(workspace, planned, Machine(device="cpu"), Silent())
    return find_run(workspace, planned.name)


def score(workspace, found, targets=TARGETS, **options):
    evaluated = evaluate(workspace, found, targets, Machine(device="cpu"), Silent(), **options)
    return [item.as_dict() for item in evaluated]


def predictions(workspace, folder, target="mine-val"):
    return read_rows(workspace.root / "evaluations" / folder / target / "predictions.parquet").to_pylist()


QUICK = {"epochs": 1, "batch": 4, "warmup_epochs": 0}


def cosines(workspace, world, row, classify, pool, texts):
    """100·⟨e_v, n(e_t)⟩ of one clip, from the vectors as they are stored."""
    folder = workspace.root / "embeddings/mine/val/seg4-k1-native-q95/fake-00000000"
    (stream,) = folder.glob("full" if classify == "full" else "hand-*")
    rows = [r for part in stream.glob("part-*.parquet") for r in read_rows(part).to_pylist()]
    frames = torch.tensor(np.array([r["vector"] for r in rows if r["video_id"] == row["video_id"]], np.float64))
    assert frames.shape == (4, world.DIM)
    video = normalize((normalize(frames) if pool == "norm_then_norm" else frames).mean(0), dim=0)
    text = torch.tensor(world.FakeEncoder().encode_texts(texts), dtype=torch.float64)
    return (100 * normalize(text) @ video).numpy()


@pytest.mark.parametrize("classify", ["full", "hand"])
@pytest.mark.parametrize("pool", ["norm_then_norm", "raw_then_norm"])
def test_zero_shot_scores_either_stream_in_either_form(embedded, world, classify, pool):
    found = run(embedded, "zero-shot", set={"frame_pool": pool}, classify=classify)
    (metrics,) = score(embedded, found, TARGETS[:1])
    assert (metrics["protocol"]["classify"], metrics["run"]["recipe"]) == (classify, None)
    row = predictions(embedded, found.config["name"])[0]
    expected = cosines(embedded, world, row, classify, pool, ["bread", "jar", "pan"])
    np.testing.assert_allclose(row["noun_scores"], expected, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("prompt", TABLE_7)
def test_zero_shot_scores_under_every_prompt_of_table_7(embedded, world, prompt):
    for text in text_stages(embedded, "mine", world.encoder(), prompt):
        stage.run(text)
    found = run(embedded, "zero-shot", classify="full", prompt=prompt)
    (metrics,) = score(embedded, found, TARGETS[:1])
    assert metrics["protocol"]["prompt"] == prompt
    row = predictions(embedded, found.config["name"])[0]
    names = [prompt.replace("{}", name) for name in ("bread", "jar", "pan")]
    expected = cosines(embedded, world, row, "full", "norm_then_norm", names)
    np.testing.assert_allclose(row["noun_scores"], expected, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("method", ["clip-adapter", "clip-adapter-temporal", "late-fusion"])
def test_every_method_is_trained_and_evaluated_across(embedded, method):
    found = run(embedded, method, set=QUICK)
    within, cross = score(embedded, found)
    assert (within["run"]["method"], within["run"]["recipe"], within["run"]["select"]) == (method, "custom", "last")
    assert cross["labels"]["noun"]["n_evaluated"] == 6
    assert within["labels"]["noun"]["selected_epoch"] == 1


def test_a_control_stands_beside_the_ordinary_evaluation_and_says_what_it_is(embedded):
    found = run(embedded, set=QUICK)
    name = found.config["name"]
    score(embedded, found)
    ordinary = predictions(embedded, name)
    for vectors in ("mean", "shuffled", "zero"):
        within, _ = score(embedded, found, control=Control(vectors))
        assert (within["xmic_vector"], within["made"]) == (vectors, 1)
        assert within["commands"] == [f"xmic evaluate {name} --cross mine --xmic-vector {vectors}"]
        assert score(embedded, found, control=Control(vectors))[0]["made"] == 0
    assert predictions(embedded, f"{name}@zero") != ordinary
    assert predictions(embedded, name) == ordinary
    assert score(embedded, found)[0]["made"] == 0
    rows = collect(embedded).rows
    assert [row.method for row in rows] == [
        f"xmic official (batch=4; epochs=1; warmup_epochs=0{note})"
        for note in ("", "; X-MIC vector mean", "; X-MIC vector shuffled", "; X-MIC vector zero")
    ]
    assert all(str(row.within) == "mine val" and str(row.cross) == "other val" for row in rows)


def test_status_knows_controls_and_how_they_are_made_again(embedded):
    found = run(embedded, set=QUICK)
    score(embedded, found, TARGETS[:1], control=Control("zero"))
    (item,) = [item for item in status(embedded) if item.stage == "evaluate"]
    assert (item.what, item.done, item.next) == (f"{found.config['name']}@zero", 1, "")
    again = run(embedded, set=QUICK | {"epochs": 2})
    weights = again.folder / "noun/weights.safetensors"
    (found.folder / "noun/weights.safetensors").write_bytes(weights.read_bytes())
    (item,) = [item for item in status(embedded) if item.stage == "evaluate"]
    assert item.stale == 1
    assert item.next.endswith(f"--cross mine --xmic-vector zero -w {embedded.root}")


@pytest.mark.parametrize("method", ["xmic", "zero-shot"])
def test_the_order_of_frames_is_a_control_of_every_method(embedded, method):
    found = run(embedded, method, set={} if method == "zero-shot" else QUICK)
    name = found.config["name"]
    score(embedded, found)
    for order in ("shuffled", "reversed"):
        within, _ = score(embedded, found, control=Control(order=order))
        assert (within["xmic_vector"], within["frame_order"], within["made"]) == ("own", order, 1)
        assert within["commands"] == [f"xmic evaluate {name} --cross mine --frame-order {order}"]
        # Zero-shot averages the frames, so their order changes nothing but rounding.
        same = np.allclose(
            [row["noun_scores"] for row in predictions(embedded, f"{name}@frames-{order}")],
            [row["noun_scores"] for row in predictions(embedded, name)],
            atol=1e-4,
        )
        assert same == (method == "zero-shot")
    titles = [row.method for row in collect(embedded).rows]
    assert sum("frames reversed" in title for title in titles) == 1
    items = [item for item in status(embedded) if item.stage == "evaluate"]
    assert [item.next for item in items] == [""] * 6


def test_controls_are_refused_where_there_is_no_x_mic_vector(embedded):
    found = run(embedded, "clip-adapter", set=QUICK)
    with pytest.raises(UsageError, match="--xmic-vector mean: clip-adapter has no X-MIC vector"):
        score(embedded, found, control=Control("mean"))


def test_every_result_names_its_recipe_and_how_its_epoch_was_kept(embedded):
    found = run(embedded, set=QUICK, select="target", target="other")
    within, cross = score(embedded, found)
    for metrics in (within, cross):
        assert (
            metrics["run"]
            | {
                "recipe": "custom",
                "select": "target",
                "select_target": "other:val",
                "source_val": None,
                "leaking": True,
            }
            == metrics["run"]
        )
    found = run(embedded, set=QUICK, recipe="matched", source_val=34)
    (metrics,) = score(embedded, found, TARGETS[:1])
    assert (metrics["run"]["recipe"], metrics["run"]["source_val"], metrics["run"]["leaking"]) == (
        "matched, custom",
        34,
        False,
    )
    summary = json.loads((found.folder / "noun/summary.json").read_text())
    assert metrics["labels"]["noun"]["lr"] == summary["lr"]


def test_a_run_of_before_there_was_a_choice_kept_its_last_epoch(embedded):
    found = run(embedded, set=QUICK)
    written_otherwise(found.folder / "noun/config.json", lambda config: config.pop("selection"))
    (metrics,) = score(embedded, find_run(embedded, found.config["name"]), TARGETS[:1])
    assert (metrics["run"]["select"], metrics["run"]["leaking"]) == ("last", False)


def test_another_dataset_takes_the_temperature_of_the_sources_val_split(embedded):
    found = run(embedded, "zero-shot", label="both", classify="full")
    cross = evaluation_stage(embedded, found, "other", "val")
    assert cross.temperatures() == {"noun": Temperature(), "verb": Temperature()}
    score(embedded, found, TARGETS[:1])
    within = evaluation_stage(embedded, found, "mine", "val")
    nouns = within.predictions().of("noun")
    expected = Temperature(fit_temperature(nouns.scores, nouns.truth), "mine val")
    assert cross.temperatures()["noun"] == expected
    assert within.temperatures() == {"noun": Temperature(), "verb": Temperature()}


def test_predictions_that_are_out_of_date_are_not_fitted_on(embedded):
    found = run(embedded, "zero-shot", classify="full")
    score(embedded, found, TARGETS[:1])
    (found.folder / "noun" / "weights.safetensors").write_bytes(b"others")
    assert evaluation_stage(embedded, found, "other", "val").temperatures()["noun"] == Temperature()
