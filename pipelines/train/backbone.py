"""Load the frozen towers that some methods pass gradients through.

The provenance of the vectors names the encoder; it is loaded once.
"""

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
    """Opened towers of the encoder of the classified stream.

    An attribute is None if the method does not need it.

    Attributes:
        text: the text transformer.
        visual: the image transformer.
        picture: uint8 [H, W, 3] → uint8 [3, S, S], the encoder's resize and crop before it normalises.
    """

    text: TextTower | None = None
    visual: VisualTower | None = None
    picture: Callable[[np.ndarray], np.ndarray] | None = None


def load_towers(
    workspace: Workspace, protocol: Protocol, needs: Set[str], machine: Machine, encoder: str | None = None
) -> Towers:
    """Load the towers that a method's configuration needs, in fp32.

    Nothing is loaded if the configuration needs no tower.

    Args:
        workspace: remembers where weights files lay when their vectors were made.
        protocol: names the encoder, and the provenance of its vectors.
        needs: the needs of the method's configuration.
        machine: device and network.
        encoder: the model spec with the paths of its files, if they are not known or have moved.

    Raises:
        MissingUpstream: the weights are not where they were, or may not be downloaded.
        InputError: the weights are not those that the vectors were made with.
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
    """Return the provenance of the classified vectors."""
    folder, stream = protocol.needed["frames"]
    made = protocol.vectors.get(f"{folder}/{stream}")
    if made is None:
        raise InputError(
            f"{folder}/{stream}: the run was trained with another encoder, and what it learned goes through that one's "
            "towers: --allow-mixed cannot help. Embed the target with the run's encoder."
        )
    return dict(made)


def _located(workspace: Workspace, slug: str, recorded: str, given: str | None) -> str:
    """Return an encoder's spec with the paths of its files.

    It is the given spec, else the remembered one, else the recorded one if that names no file.
    """
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
