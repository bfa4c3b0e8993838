"""Interface of the methods: inputs, declarations, configuration and construction."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from data_manifests.errors import InputError, UsageError
from pipelines.methods.backbone import Backbone, Widths
from pipelines.methods.recipe import Recipe
from pipelines.methods.setting_names import nearest_setting, setting_meant
from pipelines.methods.weightless import weightless

NEEDS = frozenset({"frame_vectors", "hand_vectors", "v2_vectors", "text_vectors", "text_tower", "pixels"})
"""All inputs that a method can ask for; see :attr:`Method.needs`."""

CONDITIONING = frozenset({"hand_vectors", "v2_vectors"})
"""Inputs of a method that conditions on streams of V_II."""

PRESET_SOURCES = {
    "official": "the method authors' own code",
    "xmic-code": "the form found in X-MIC's code (Annusha/xmic)",
    "paper": "what the X-MIC paper states (Kukleva et al., CVPR 2024)",
    "recommended": "ours",
}
"""Preset → where its values come from."""


@dataclass(frozen=True)
class ClipBatch:
    """B clips of N frames: raw vectors and pictures.

    Vectors are not normalised. A field is None where a method does not need it.

    Attributes:
        frames: [B, N, D], the classified stream, from the vision-language encoder.
        hand: [B, N, D_II], the hand-crop conditioning stream, from V_II.
        full: [B, N, D_II], the full-frame conditioning stream, from V_II.
        pixels: [B, N, 3, S, S] uint8, the pictures of the classified stream as the encoder's preprocessing cuts
            them, before its normalisation.
    """

    frames: Tensor | None = None
    hand: Tensor | None = None
    full: Tensor | None = None
    pixels: Tensor | None = None

    def to(self, device: torch.device) -> ClipBatch:
        """Return the same batch on a device."""
        return ClipBatch(**{name: None if x is None else x.to(device) for name, x in vars(self).items()})


@dataclass(frozen=True)
class TextBank:
    """Text side of a label set: vectors, logit scale and names.

    Attributes:
        vectors: [C, D] float32, the raw text vectors e_t, one per class.
        logit_scale: τ, the exponential of the value the encoder stores (100 for OpenAI's CLIP).
        names: C class names, in the order of the label indices.
        texts: the text of each class without a prompt, for methods that learn the prompt; None where the text is
            prompted, or where a class has several texts.
    """

    vectors: Tensor
    logit_scale: float
    names: list[str]
    texts: list[str] | None = None

    def to(self, device: torch.device) -> TextBank:
        """Return the same text on a device."""
        return replace(self, vectors=self.vectors.to(device))


class Method(nn.Module):
    """Base class of methods, each a way to classify clips by text.

    A method has one file and one subclass.

    A subclass is constructed as ``Method(config, backbone)``: its configuration, and what the frozen
    encoders are. Parameters that are not trained have ``requires_grad`` off; they are not saved, except
    :meth:`random_buffers`.

    Attributes:
        name: the method's name in commands and files.
        needs: all inputs that it can ask for, a subset of :data:`NEEDS`. ``frame_vectors``, ``hand_vectors`` and
            ``v2_vectors`` are the three streams of :class:`ClipBatch` (frames, hand, full),
            ``text_vectors`` a :class:`TextBank`, ``text_tower`` and ``pixels`` the text transformer
            and the images themselves.
        config: the frozen dataclass of its settings; every field carries a ``help`` text and none
            has the name of a field of :class:`pipelines.methods.recipe.Recipe`.
        trains: False for a method without anything to learn: it needs no recipe.
        scored_at_once: clips per batch of an evaluation; the last batch is filled up, so a method that costs much per
            clip takes few.
        splits_batches: True if a training step may be made by several processes, each with a part of the batch. Then
            the training logits of a clip depend on no other clip of the batch and on nothing drawn at random.
        why_whole: why it may not, in one sentence.
        presets: preset → the settings, its own or the recipe's, that differ from the defaults.
        sources: preset → where its values come from, where it differs from :data:`PRESET_SOURCES`.
        setting_sources: preset → setting → where its value comes from, where it differs from the preset's source.
        default_source: where the defaults come from whose field has no ``source`` of its own.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    config: ClassVar[type[Any]]
    trains: ClassVar[bool] = True
    scored_at_once: ClassVar[int] = 128
    splits_batches: ClassVar[bool] = False
    why_whole: ClassVar[str] = "it does not say that its batches may be split (splits_batches)."
    presets: ClassVar[dict[str, dict[str, Any]]]
    sources: ClassVar[Mapping[str, str]] = {}
    setting_sources: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    default_source: ClassVar[str] = "default of the method"

    @classmethod
    def parameters_for(cls, config: Any, widths: Widths) -> int:
        """Count the parameters trained on encoders of these widths.

        Raises:
            UsageError: the widths do not fit the configuration.
        """
        return trained_count(build_method(cls, config, weightless(widths), 0))

    @classmethod
    def needed_by(cls, config: Any) -> frozenset[str]:
        """Return the inputs this configuration needs, a subset of ``needs``."""
        return cls.needs

    def __init__(self, config: Any, backbone: Backbone) -> None:
        """Draw the initial weights from torch's generator."""
        super().__init__()

    def forward(self, batch: ClipBatch, text: TextBank) -> Tensor:
        """Compute the logits of a batch.

        Returns:
            [B, C] float32.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def random_buffers(self) -> dict[str, Tensor]:
        """Return untrained tensors that were drawn at random, by name.

        They are saved with the weights: the same seed gives other values under another version of torch.
        """
        return {}

    def training_logits(self, batch: ClipBatch, text: TextBank, target: Tensor) -> Tensor:
        """Compute the logits of a training step.

        Args:
            batch: the clips.
            text: the classes.
            target: int64 [B], the class of each clip; never left out.

        Returns:
            [B, C] float32; −∞ at classes that are left out of the softmax. By default all logits of :meth:`forward`.
        """
        logits: Tensor = self(batch, text)
        return logits

    def statistics(self, batch: ClipBatch, text: TextBank) -> dict[str, float]:
        """Return numbers to watch over the epochs, as batch means.

        They are written to ``metrics.jsonl``.
        """
        return {}


def trained_count(method: nn.Module) -> int:
    """Count the trained numbers of a method."""
    return sum(tensor.numel() for tensor in method.parameters() if tensor.requires_grad)


def stream_of(method: str, batch: ClipBatch, stream: Literal["frames", "hand", "full"]) -> Tensor:
    """Return one stream of a batch.

    Returns:
        [B, N, width].

    Raises:
        InputError: the batch does not carry it.
    """
    vectors: Tensor | None = getattr(batch, stream)
    if vectors is None:
        raise InputError(
            f"{method} needs the {stream} vectors of each clip, but the batch has none. "
            "Embed that stream first, or choose other streams."
        )
    return vectors


@dataclass(frozen=True)
class Settings:
    """Resolved configuration of a method, and the recipe that trains it."""

    config: Any
    recipe: Recipe


def resolve_config(
    method: type[Method], preset: str = "official", overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Resolve a method's configuration and recipe.

    The defaults come first, then the preset, then ``--set key=value``.

    Args:
        method: the method's class.
        preset: one of its presets.
        overrides: setting → value, of the setting's type or as a user's text.

    Raises:
        UsageError: unknown preset, unknown setting, or a value that does not fit.
    """
    if preset not in method.presets:
        raise UsageError(f"--preset {preset}: {method.name} has the presets {', '.join(method.presets)}.")
    kinds = {cls: typing.get_type_hints(cls) for cls in (method.config, Recipe)}
    known = {name: cls for cls, hints in kinds.items() for name in hints}
    chosen: dict[type, dict[str, Any]] = {method.config: {}, Recipe: {}}
    for key, value in {**method.presets[preset], **(overrides or {})}.items():
        if key not in known:
            meant, near = setting_meant(key, known), nearest_setting(key, known)
            hint = (
                f"; here it is {meant}: --set {meant}={value}" if meant else f"; the nearest is {near}" if near else ""
            )
            raise UsageError(f"--set {key}: {method.name} has no such setting{hint}. Settings are {', '.join(known)}.")
        chosen[known[key]][key] = _parse(key, value, kinds[known[key]][key])
    return Settings(method.config(**chosen[method.config]), Recipe(**chosen[Recipe]))


def build_method(method: type[Method], config: Any, backbone: Backbone, seed: int) -> Method:
    """Construct a method with initial weights drawn from a seed.

    The same seed gives the same weights; torch's generator is left as it was.

    Args:
        method: the method's class.
        config: its resolved configuration.
        backbone: the frozen encoders.
        seed: of the initial weights.

    Raises:
        InputError: the logit scale is not a positive number: the encoder has no text side to classify with.
        UsageError: the widths do not fit the configuration.
    """
    if not 0 < backbone.logit_scale < math.inf:
        raise InputError(
            f"{method.name}: logit scale {backbone.logit_scale:g}, expected a positive number. "
            "Take vectors and text from an encoder that stores one, such as CLIP."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return method(config, backbone)


def _parse(key: str, value: Any, kind: Any) -> Any:
    """Convert a value, or its text, to a setting's type.

    Raises:
        UsageError: the value does not fit; the text names what is expected.
    """
    if typing.get_origin(kind) is Literal:
        options = typing.get_args(kind)
        if value in options:
            return value
        raise UsageError(f"--set {key}={value}: expected one of {', '.join(map(str, options))}.")
    if typing.get_origin(kind) is tuple:
        kinds = typing.get_args(kind)
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or len(parts) != len(kinds):
            raise UsageError(f"--set {key}={value}: expected {len(kinds)} values with commas between.")
        return tuple(_parse(key, part, one) for part, one in zip(parts, kinds, strict=True))
    parsed = _parse_text(value.strip(), kind) if isinstance(value, str) and kind is not str else value
    if kind is float and type(parsed) is int:
        parsed = float(parsed)
    if type(parsed) is not kind or (kind is float and not math.isfinite(parsed)):
        expected = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
        raise UsageError(f"--set {key}={value}: expected {expected}.")
    return parsed


def _parse_text(text: str, kind: Any) -> Any:
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None


__all__ = [
    "NEEDS",
    "PRESET_SOURCES",
    "ClipBatch",
    "Method",
    "Settings",
    "TextBank",
    "build_method",
    "resolve_config",
    "stream_of",
    "trained_count",
]
