"""Settle the protocol that all methods of a comparison share.

Streams, boxes, window and precision belong to the protocol, not to a method. Evaluating a run on artifacts made
otherwise is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.schema import Label
from pipelines.decode.options import DecodeOptions
from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import DecodeStage, decoded_plans, plan_of
from pipelines.embed.encoders.spec import embed_command, is_spec, parse_spec
from pipelines.embed.options import Streams
from pipelines.embed.text import text_command, text_slug
from pipelines.engine.command_lines import command_line
from pipelines.engine.digest import digest_json
from pipelines.engine.shards import any_footer, read_footer
from pipelines.engine.workspace import Workspace, subfolders
from pipelines.train.options import Classified, ProtocolChoice

IGNORED_PROVENANCE = ("plan",)
"""Provenance that may differ between training and evaluation: their plans differ in candidates by design."""


class SeveralFit(InputError):
    """More than one encoder or stream fits, and none was chosen."""


@dataclass(frozen=True)
class Protocol:
    """Protocol that a run is trained and evaluated under.

    Attributes:
        encoder: folder name of the encoder whose vectors are classified, with the weights' hash in it.
        v2: folder name of the second encoder V_II, for the conditioning streams; the same as ``encoder`` by default.
        streams: conditioning streams, 'full' frames, 'hand' crops or 'both'; None for a method that is
            not conditioned on the video.
        classify: the classified stream; 'clip' is one vector per clip, of all its frames.
        hands: folder name of the hand stream ('hand-<detector>-<crop>'), None when none is used.
        segments: N, frames per clip.
        prompt: text around the class name.
        names: which texts name a class, one of :data:`pipelines.embed.text.NAMES`.
        vectors: stream folder → its provenance, without the plan.
    """

    encoder: str
    v2: str
    streams: Streams | None
    classify: Classified
    hands: str | None
    segments: int
    short_side: int
    quality: int
    prompt: str
    names: str = "official"
    vectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def needed(self) -> dict[str, tuple[str, str]]:
        """Vectors gathered for a batch: role → (encoder folder, stream folder)."""
        hand = self.hands or ""
        roles = {"frames": (self.encoder, hand if self.classify == "hand" else self.classify)}
        if self.streams in ("hand", "both"):
            roles["hand"] = (self.v2, hand)
        if self.streams in ("full", "both"):
            roles["full"] = (self.v2, "full")
        return roles

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for config.json."""
        return asdict(self)


def resolve(
    workspace: Workspace,
    dataset: str,
    split: str,
    choice: ProtocolChoice,
    *,
    classify_default: str,
    conditioned: bool = True,
) -> tuple[Protocol, DecodeStage]:
    """Settle the protocol on what is embedded for a split.

    Args:
        workspace: the workspace.
        dataset: the dataset to train on (or, for an evaluation without training, to evaluate).
        split: its split.
        choice: the parts that the user gave.
        classify_default: the preset's classified stream.
        conditioned: True if the method takes conditioning streams.

    Raises:
        MissingUpstream: no embedded vectors fit.
        SeveralFit: more than one encoder or stream fits; names them and the option to choose by.
    """
    plan = plan_of(workspace, dataset, split, choice.plan)
    frames = DecodeStage(workspace, dataset, split, plan)
    base = workspace.embeddings(dataset, split, plan.slug)

    def command(wanted: str | None) -> str:
        recorded = _spec_of(base / wanted) if wanted is not None and (base / wanted).is_dir() else None
        return embed_command(workspace, dataset, split, wanted, recorded)

    encoder = _one(base, choice.encoder, "encoder", "--encoder", command(choice.encoder))
    v2 = _one(base, choice.v2, "second encoder", "--v2", command(choice.v2)) if choice.v2 else encoder
    streams: Streams | None = (choice.streams or "both") if conditioned else None
    classify: Any = choice.classify or classify_default
    hands = None
    if streams in ("hand", "both") or classify == "hand":
        owner = _with_hands(classify, encoder, v2)
        hands = _one(base / owner, choice.hands, "hand stream", "--hands", command(owner), prefix="hand-")
    made = (plan.segments, plan.short_side, plan.quality)
    protocol = Protocol(encoder, v2, streams, classify, hands, *made, choice.prompt, choice.names)
    vectors = {
        f"{folder}/{stream}": _comparable(_provenance(base / folder / stream, command(folder)))
        for folder, stream in protocol.needed.values()
    }
    return Protocol(**{**asdict(protocol), "vectors": vectors}), frames


def _with_hands(classify: Classified, encoder: str, v2: str) -> str:
    """Return the encoder whose hand stream is needed.

    It is V_II if another stream than the hand crops is classified.
    """
    return encoder if classify == "hand" else v2


def _one(folder: Path, wanted: str | None, what: str, option: str, command: str, prefix: str = "") -> str:
    there = [found.name for found in subfolders(folder) if found.name.startswith(prefix)]
    if wanted is not None:
        # A model spec names the encoder by its family and model; its folder name adds the weights' hash.
        spec = parse_spec(wanted).text if is_spec(wanted) else None
        fits = [name for name in there if wanted == name or (spec and _spec_of(folder / name) == spec)]
        if len(fits) == 1:
            return fits[0]
        raise MissingUpstream(f"{folder}: no {what} {wanted}; there is {', '.join(there) or 'none'}. Run {command}")
    if not there:
        extra = " (or choose --streams full --classify full to do without hands)" if prefix else ""
        raise MissingUpstream(f"{folder}: no {what} is embedded. Run {command}{extra}")
    if len(there) > 1:
        raise SeveralFit(f"{folder}: more than one {what} ({', '.join(there)}); choose one with {option}.")
    return there[0]


def _spec_of(folder: Path) -> str | None:
    """Return the model spec recorded in an encoder's or a stream's folder."""
    footers = (any_footer(place) for place in (folder, *subfolders(folder)))
    return next((footer.provenance.get("spec") for footer in footers if footer is not None), None)


def _provenance(folder: Path, command: str) -> Mapping[str, Any]:
    footer = any_footer(folder)
    if footer is None:
        how = " --clip-frames 16 with an encoder of several frames (lavila)" if folder.name == "clip" else ""
        raise MissingUpstream(f"{folder}: no vectors. Run {command}{how}")
    return footer.provenance


def _comparable(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in provenance.items() if name not in IGNORED_PROVENANCE}


def on_target(
    workspace: Workspace, dataset: str, split: str, protocol: Protocol, *, allow_mixed: bool
) -> tuple[Protocol, DecodeStage, list[dict[str, Any]]]:
    """Settle a run's protocol on another split and list the differences.

    Returns:
        The protocol with the target's folder names, the target's decode stage, and the differences: 'what',
        'run' and 'target' of each (only with ``allow_mixed``).

    Raises:
        MissingUpstream: the target is not decoded or embedded.
        InputError: the target was made with another detector, crop policy, precision or encoder.
    """
    plan = _plan_on_target(workspace, dataset, split, protocol)
    frames = DecodeStage(workspace, dataset, split, plan)
    base = workspace.embeddings(dataset, split, plan.slug)
    differences: list[dict[str, Any]] = []
    names = {"encoder": protocol.encoder, "v2": protocol.v2, "hands": protocol.hands}

    def command(wanted: str) -> str:
        recorded = (made.get("spec") for place, made in protocol.vectors.items() if place.startswith(f"{wanted}/"))
        return embed_command(workspace, dataset, split, wanted, next(recorded, None))

    for what in ("encoder", "v2", "hands"):
        folder, wanted = base, names[what]
        owner = str(wanted)
        if what == "hands":
            owner = _with_hands(protocol.classify, str(names["encoder"]), str(names["v2"]))
            folder = base / owner
        if wanted is None or (folder / wanted).is_dir():
            continue
        prefix = "hand-" if what == "hands" else ""
        there = [found.name for found in subfolders(folder) if found.name.startswith(prefix)]
        message = f"{folder}: the run used {what} {wanted}, {dataset} {split} has {', '.join(there) or 'none'}."
        if not there:
            raise MissingUpstream(f"{message} Run {command(owner)}")
        if not allow_mixed:
            raise InputError(f"{message} Make it the same way, or pass --allow-mixed; every table then says so.")
        if len(there) > 1:
            raise InputError(f"{message} More than one: remove all but the one to use.")
        names[what] = there[0]
        differences.append({"what": what, "run": wanted, "target": there[0]})
    target = Protocol(**{**protocol.as_dict(), "encoder": names["encoder"], "v2": names["v2"], "hands": names["hands"]})
    for (folder_name, stream), (old_folder, old_stream) in zip(
        target.needed.values(), protocol.needed.values(), strict=True
    ):
        now = _comparable(_provenance(base / folder_name / stream, command(folder_name)))
        then = protocol.vectors.get(f"{old_folder}/{old_stream}", {})
        for entry in sorted({*now, *then}):
            if now.get(entry) != then.get(entry):
                differences.append({"what": entry, "run": then.get(entry), "target": now.get(entry)})
    if differences and not allow_mixed:
        first = differences[0]
        raise InputError(
            f"{dataset} {split}: {first['what']} is {first['target']!r}, the run was trained with {first['run']!r}. "
            "Make the target the same way, or pass --allow-mixed; every table then says so."
        )
    return target, frames, differences


def _plan_on_target(workspace: Workspace, dataset: str, split: str, protocol: Protocol) -> FramePlan:
    folder = workspace.frames(dataset, split)
    wanted = (protocol.segments, protocol.short_side, protocol.quality)
    fitting = [
        plan
        for plan in decoded_plans(workspace, dataset, split).values()
        if (plan.segments, plan.short_side, plan.quality) == wanted and plan.centre_candidate is not None
    ]
    if not fitting:
        options = DecodeOptions(protocol.segments, None, protocol.short_side, protocol.quality)
        command = command_line("decode", options, dataset, split=split, root=workspace.root)
        raise MissingUpstream(
            f"{folder}: no frames with {protocol.segments} segments, short side {protocol.short_side} and quality "
            f"{protocol.quality} (an odd number of candidates), as the run has. "
            f"Run {command}"
        )
    return min(fitting, key=lambda plan: plan.candidates)


def vector_digests(frames: DecodeStage, protocol: Protocol) -> dict[str, str]:
    """Compute the digest of each stream that a protocol needs.

    Returns:
        'encoder/stream' → digest over the shards of that stream.
    """
    base = frames.workspace.embeddings(frames.dataset, frames.split, frames.plan.slug)
    digests: dict[str, str] = {}
    for encoder, stream in sorted(set(protocol.needed.values())):
        parts = sorted((base / encoder / stream).glob("part-*.parquet"))
        digests[f"{encoder}/{stream}"] = digest_json([[part.name, read_footer(part).digest] for part in parts])
    return digests


def text_file(workspace: Workspace, dataset: str, protocol: Protocol, label: Label) -> Path:
    """Return the file of a dataset's class-name vectors under a protocol.

    Raises:
        MissingUpstream: the class names are not embedded.
    """
    folder = workspace.text(dataset, protocol.encoder)
    file = folder / f"{label}-{text_slug(protocol.prompt, protocol.names)}.parquet"
    if not file.is_file():
        recorded = [of for place, of in protocol.vectors.items() if place.startswith(f"{protocol.encoder}/")]
        spec = workspace.encoders.get(protocol.encoder) or next((of["spec"] for of in recorded if "spec" in of), "NAME")
        made = {"spec": spec, "prompt": protocol.prompt, "names": protocol.names}
        raise MissingUpstream(
            f"{file}: the {protocol.names} {label} class names are not embedded with prompt {protocol.prompt!r}. "
            f"Run {text_command(workspace, dataset, made)}"
        )
    return file
