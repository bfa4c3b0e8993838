from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from data_manifests.errors import InputError, UsageError
from pipelines.decode.plan import FramePlan
from pipelines.embed.encoders.spec import parse_spec
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.trained import TrainedRun, find_run
from pipelines.predict.as_trained import check_overrides, encoders_of, frame_plan, made_by
from pipelines.predict.options import Overrides
from tests.pipelines.kitchen_world import MACHINE, Kitchen


@pytest.fixture
def run(kitchen: Kitchen) -> TrainedRun:
    return find_run(Workspace.open(kitchen.work), kitchen.xmic)


@pytest.fixture
def home(kitchen: Kitchen) -> Workspace:
    return Workspace.open(kitchen.work)


def with_vectors(run: TrainedRun, **facts: Any) -> TrainedRun:
    """The run as if its vectors had been made otherwise."""
    heads = {}
    for label, config in run.heads.items():
        protocol = config["protocol"]
        vectors = {
            name: {**made, **{key: value for key, value in facts.items() if key in made}}
            for name, made in protocol["vectors"].items()
        }
        heads[label] = {**config, "protocol": {**protocol, "vectors": vectors}}
    return replace(run, heads=heads)


def test_frames_are_segment_centres_of_the_runs_number_size_and_quality(run: TrainedRun) -> None:
    assert frame_plan(run.protocol) == FramePlan(4, 1, 256, 95)


def test_the_encoder_is_found_by_the_spec_that_the_run_knows(run: TrainedRun, home: Workspace) -> None:
    (found,) = encoders_of(run, home, Overrides(), MACHINE).values()
    made = made_by(run.protocol, run.protocol.encoder)
    assert found.identity.slug == run.protocol.encoder
    assert found.identity.provenance == {name: made[name] for name in found.identity.provenance}
    assert found.identity.environment["batch_shape"][0] == 24


def test_the_same_weights_under_another_name_are_the_runs_and_others_are_not(
    run: TrainedRun, home: Workspace, tmp_path: Path
) -> None:
    pocket = parse_spec("pocket")
    assert pocket.file is not None
    shutil.copy(pocket.file, tmp_path / "copy.safetensors")
    spec = f"open_clip:{pocket.model}={tmp_path / 'copy.safetensors'}"
    (found,) = encoders_of(run, home, Overrides(encoder=spec), MACHINE).values()
    assert (found.identity.slug, found.identity.provenance["spec"]) == (run.protocol.encoder, "pocket")
    tensors = load_file(tmp_path / "copy.safetensors")
    tensors["logit_scale"] = tensors["logit_scale"] + torch.ones_like(tensors["logit_scale"])
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(
        InputError, match=r"weights_sha256 is '.*', xmic-.* was trained with '.*'. Name the very weights"
    ):
        encoders_of(run, home, Overrides(encoder=spec.replace("copy", "other")), MACHINE)


def test_a_file_that_only_its_name_is_known_of_is_asked_for(run: TrainedRun, home: Workspace) -> None:
    filed = with_vectors(run, spec="open_clip:ViT-B-16=gone.safetensors")
    with pytest.raises(
        InputError, match=r"its encoder is .*gone.safetensors, of which only .* --encoder FAMILY:MODEL=FILE"
    ):
        encoders_of(filed, home, Overrides(), MACHINE)


def test_a_precision_that_this_device_does_not_have_needs_leave_to_differ(run: TrainedRun, home: Workspace) -> None:
    half = with_vectors(run, precision="fp16")
    with pytest.raises(InputError, match=r"the run's networks ran in fp16, which cpu does not have; .* --allow-mixed"):
        encoders_of(half, home, Overrides(), MACHINE)
    (found,) = encoders_of(half, home, Overrides(allow_mixed=True), MACHINE).values()
    assert found.identity.provenance["precision"] in ("fp32", "bf16")


def test_a_second_encoder_for_a_run_without_one_is_refused(run: TrainedRun, home: Workspace) -> None:
    with pytest.raises(UsageError, match=r"--v2 pocket: xmic-.* has no second encoder"):
        encoders_of(run, home, Overrides(v2="pocket"), MACHINE)


def test_boxes_that_were_made_elsewhere_are_asked_for_with_what_else_can_be_done(
    run: TrainedRun, home: Workspace
) -> None:
    with pytest.raises(
        UsageError, match=r"--boxes is missing: .* \(boxes-hand_boxes\).* yolo --weights FILE --allow-mixed"
    ):
        check_overrides(run, home, Overrides(), MACHINE)


def test_the_weights_of_a_detector_are_asked_for_by_name(run: TrainedRun, home: Workspace) -> None:
    with pytest.raises(
        UsageError, match=r"--weights is missing: the hands of .* were found by yolo-hands-640-01234567"
    ):
        check_overrides(with_vectors(run, detector="yolo-hands-640-01234567"), home, Overrides(), MACHINE)


def test_boxes_of_a_precision_that_this_device_does_not_have_need_leave_to_differ(
    run: TrainedRun, home: Workspace
) -> None:
    half = with_vectors(run, detector="yolo-hands-640-fp16-01234567")
    with pytest.raises(InputError, match=r"the run's networks ran in fp16, which cpu does not have; .* --allow-mixed"):
        check_overrides(half, home, Overrides(weights=Path("hands.pt")), MACHINE)
    check_overrides(half, home, Overrides(weights=Path("hands.pt"), allow_mixed=True), MACHINE)


def test_a_run_of_full_frames_takes_no_boxes(kitchen: Kitchen, home: Workspace) -> None:
    with pytest.raises(UsageError, match=r"--weights x.pt: zero-shot-.* does not look at hands; leave it out"):
        check_overrides(find_run(home, kitchen.zero_shot), home, Overrides(weights=Path("x.pt")), MACHINE)
