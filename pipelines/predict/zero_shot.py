"""Make the zero-shot run of an encoder, for predictions without a training.

It is what ``xmic train --method zero-shot`` makes, but without a dataset: a configuration, and weights without a
tensor. So a clip gets the scores that such a run gives it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from data_manifests.errors import UsageError
from data_manifests.schema import LABELS, Label
from pipelines.chain.stages import crop_policy, detector_identity
from pipelines.decode.options import DecodeOptions
from pipelines.embed.encoders import describe_encoder
from pipelines.embed.encoders.spec import EncoderIdentity, is_spec, parse_spec
from pipelines.embed.options import EmbedOptions
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import digest_json
from pipelines.engine.environment import versions
from pipelines.engine.machine import Machine
from pipelines.engine.precision import resolve_precision
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.trained import TrainedRun
from pipelines.hands.options import HandsOptions
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig
from pipelines.predict.options import Overrides
from pipelines.train.checkpoint import write_weights
from pipelines.train.finished import CONFIG, WEIGHTS
from pipelines.train.protocol import Protocol


def zero_shot_run(home: Workspace, overrides: Overrides, machine: Machine) -> TrainedRun:
    """Make the zero-shot run of an encoder in the workspace's cache.

    Args:
        home: the workspace.
        overrides: the encoder's spec. A detector or a table of boxes asks for hand crops in place of full frames.
        machine: device and network.

    Raises:
        UsageError: the encoder is none, has no text tower, or needs random weights; weights of a detector that is not
            asked for.
        MissingUpstream, InputError: weights or boxes that are missing or not of their format.
    """
    assert overrides.encoder is not None
    encoder = _described(home, overrides.encoder, machine)
    protocol = _protocol(home, encoder, _hands_of(overrides), machine)
    config: dict[str, Any] = {
        "method": ZeroShot.name,
        "preset": "official",
        "method_config": asdict(ZeroShotConfig()),
        "seed": 0,
        "source": {"dataset": None, "split": None},
        "protocol": protocol.as_dict(),
    }
    key = digest_json(config)
    name = f"{ZeroShot.name}-{re.sub('-[0-9a-f]{8}$', '', encoder.slug)}-{key[:8]}"
    folder = home.cache("zero-shot", name)
    heads: dict[Label, dict[str, Any]] = {}
    for label in LABELS:
        heads[label] = {**config, "name": name, "key": key, "label": label, "versions": versions("xmic")}
        if not (folder / label / WEIGHTS).is_file():
            write_weights(folder / label / WEIGHTS, {}, {"key": key, "label": label, "method": ZeroShot.name})
            with replace_atomically(folder / label / CONFIG) as temporary:
                temporary.write_text(json.dumps(heads[label], indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return TrainedRun(folder, heads)


def _described(home: Workspace, spec: str, machine: Machine) -> EncoderIdentity:
    device = machine.resolve_device()
    if is_spec(spec) and parse_spec(spec).random:
        raise UsageError(f"--encoder {spec}: random weights give answers that mean nothing. Name trained weights.")
    found = describe_encoder(
        spec,
        precision=resolve_precision("auto", device),
        batch_size=None,
        device=device,
        offline=machine.offline,
        allow_random_weights=False,
        file_sha256=home.file_digests.whole,
    )
    if not found.text_provenance:
        raise UsageError(
            f"--encoder {spec}: it has no text tower, so it cannot compare a video with words. Expected an encoder "
            "such as open_clip:ViT-B-16/openai."
        )
    return found


def _hands_of(overrides: Overrides) -> HandsOptions | None:
    """Return the hands that the user asks for; None for full frames."""
    if overrides.detector is None and overrides.boxes is None:
        if overrides.weights is not None:
            raise UsageError(
                f"--weights {overrides.weights}: they are a hand detector's, and zero-shot prediction looks at full "
                "frames. To look at hands, add --detector yolo."
            )
        return None
    return HandsOptions(overrides.detector or "boxes", overrides.weights, boxes=overrides.boxes)


def _protocol(home: Workspace, encoder: EncoderIdentity, hands: HandsOptions | None, machine: Machine) -> Protocol:
    stream, classify, crop, detector = "full", "full", None, None
    if hands is not None:
        identity = detector_identity(home, hands, machine)
        policy = crop_policy(identity.provenance, EmbedOptions(""))
        detector, classify, crop = identity.slug, "hand", policy.slug
        stream = f"hand-{detector}-{crop}"
    vectors = {
        **encoder.provenance,
        "stream": classify,
        "crop": crop,
        "encoder": encoder.slug,
        "detector": detector,
    }
    plan = DecodeOptions()
    return Protocol(
        encoder=encoder.slug,
        v2=encoder.slug,
        streams=None,
        classify=classify,  # type: ignore[arg-type]
        hands=stream if hands is not None else None,
        segments=plan.segments,
        short_side=plan.short_side,
        quality=plan.quality,
        prompt="{}",
        vectors={f"{encoder.slug}/{stream}": vectors},
    )
