"""The frozen towers that some methods learn through: found by what the vectors' provenance says, and loaded once."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.embed.encoders.spec import is_spec, parse_spec
from pipelines.engine.machine import Machine
from pipelines.engine.workspace import Workspace
from pipelines.methods.text_tower import TextTower
from pipelines.methods.visual_tower import VisualTower
from pipelines.train.protocol import Protocol


@dataclass(frozen=True)
class Towers:
    """What is loaded of the classifying encoder; None where it is not needed.

    Attributes:
        text: the text transformer.
        visual: the image transformer.
        picture: uint8 [H, W, 3] → uint8 [3, S, S], what the encoder cuts out of a picture before it normalises.
    """

    text: TextTower | None = None
    visual: VisualTower | None = None
    picture: Callable[[np.ndarray], np.ndarray] | None = None


def load_towers(
    workspace: Workspace, protocol: Protocol, needs: Set[str], machine: Machine, encoder: str | None = None
) -> Towers:
    """Load what a configuration needs of the protocol's encoder, in fp32; nothing when it needs nothing.

    Args:
        workspace: remembers where weights files lay when their vectors were made.
        protocol: its encoder, and the provenance of its vectors.
        needs: of the method's configuration.
        machine: device and network.
        encoder: the spec again, with the files' places, where they are not known or have moved.

    Raises:
        MissingUpstream: the weights are not where they were, or may not be fetched.
        InputError: they are not those the vectors were made with.
        UsageError: the encoder has no tower of the kind.
    """
    if not needs & {"text_tower", "pixels"}:
        return Towers()
    made = _provenance(protocol)
    spec = _located(workspace, protocol.encoder, str(made["spec"]), encoder)
    options: dict[str, Any] = {
        "precision": "fp32",
        "batch_size": 1,
        "device": machine.resolve_device(),
        "offline": machine.offline,
        "allow_random_weights": bool(made.get("random_weights")),
        "file_sha256": workspace.file_digests.whole,
    }
    identity = describe_encoder(spec, **options)
    for what in ("weights_sha256", "model_config_sha256"):
        found, expected = identity.provenance.get(what), made.get(what)
        if found != expected:
            raise InputError(
                f"{spec}: {what} {found}, but the vectors of {protocol.encoder} were made with {expected}. Pass the "
                "encoder they were made with: --encoder FAMILY:MODEL=FILE."
            )
    if spec != made["spec"]:
        workspace.remember_encoder(protocol.encoder, spec)
    model = load_encoder(spec, **options)
    found_text, found_visual, picture = None, None, None
    if "text_tower" in needs:
        found_text = _opened(model, "text_tower", made["spec"])
    if "pixels" in needs:
        found_visual, picture = _opened(model, "visual_tower", made["spec"]), model.picture
    return Towers(found_text, found_visual, picture)


def _opened(model: Any, tower: str, spec: str) -> Any:
    if not hasattr(model, tower):
        raise UsageError(
            f"{spec}: this kind of encoder does not open its {tower.replace('_', ' ')}, which the method learns "
            "through. Use an open_clip encoder, or a method that takes vectors as they are: xmic, zero-shot."
        )
    return getattr(model, tower)()


def _provenance(protocol: Protocol) -> dict[str, Any]:
    """What made the classified vectors."""
    folder, stream = protocol.needed["frames"]
    made = protocol.vectors.get(f"{folder}/{stream}")
    if made is None:
        raise InputError(
            f"{folder}/{stream}: the run was trained with another encoder, and what it learned goes through that one's "
            "towers: --allow-mixed can not help. Embed the target with the run's encoder."
        )
    return dict(made)


def _located(workspace: Workspace, slug: str, recorded: str, given: str | None) -> str:
    """The spec of an encoder with the places of its files: as given, as remembered, or where it needs none."""
    if given is not None and is_spec(given):
        return parse_spec(given).located
    known = workspace.encoders.get(slug)
    option = f"--encoder {recorded.split(':')[0]}:MODEL=FILE (it was {recorded})"
    if known is None:
        if "=" in recorded or ".json" in recorded:
            raise MissingUpstream(
                f"{recorded}: this workspace does not know where its files lie. Say so once with {option}."
            )
        return recorded
    try:
        return parse_spec(known).located
    except InputError as error:
        raise MissingUpstream(f"{error} That is where {recorded} was. If it has moved, pass {option}.") from None
