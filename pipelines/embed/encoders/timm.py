"""Image encoders by timm, such as DINOv2.

They serve as the second encoder V_II (X-MIC, Kukleva et al., CVPR 2024, Sec. 3.2).
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.embed.encoders.base import DTYPES, FrozenImageEncoder
from pipelines.embed.encoders.forward_passes import environment
from pipelines.embed.encoders.hub_files import hub_file
from pipelines.embed.encoders.spec import (
    SEED,
    EncoderIdentity,
    EncoderOptions,
    ModelSpec,
    parse_spec,
    random_sha256,
    refuse_random,
)
from pipelines.embed.encoders.weights import load_strict, read_state_dict
from pipelines.engine.digest import canonical_json

_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
_NEAR = 12
"""How many models of a similar name are looked at for weights that do not fit."""
_DINOV2_SIZE, _DINOV2_CROP = 224, 224 / 256


@dataclass(frozen=True)
class _Resolved:
    spec: ModelSpec
    data: dict[str, Any]
    arguments: dict[str, Any]
    file: Path | None
    sha256: str

    @property
    def architecture(self) -> str:
        return self.spec.model.partition(".")[0]

    @property
    def feature(self) -> str:
        return "class token after the final norm" if "dinov2" in self.architecture else "input of the classifier"

    @property
    def image_size(self) -> int:
        return int(self.data["input_size"][-1])


class TimmEncoder(FrozenImageEncoder):
    """timm model without its classifier.

    The vector is the input of that classifier. For a DINOv2 ViT it is the class token after the final norm. The
    518-pixel input of DINOv2 is set to 224, with the resize to 256 (bicubic) and the centre crop of its authors'
    evaluation; timm resamples the position embedding. A timm model has no text tower, so it has no logit scale.
    """

    logit_scale = None

    def __init__(self, spec: str, options: EncoderOptions) -> None:
        found = _resolve(parse_spec(spec), options)
        model = _build(found).to(options.device, DTYPES[options.precision]).eval().requires_grad_(False)
        transform = timm.data.create_transform(**found.data, is_training=False)
        dim, size = int(model.num_features), found.image_size
        super().__init__(model, transform, dim, size, options)
        if found.file is not None:
            self.refuse_silence(str(found.file))

    @classmethod
    def describe(cls, spec: str, options: EncoderOptions) -> EncoderIdentity:
        """Return the identity, as :func:`pipelines.embed.encoders.describe_encoder` does."""
        found = _resolve(parse_spec(spec), options)
        facts = {
            "spec": found.spec.text,
            "weights_sha256": found.sha256,
            "random_weights": found.spec.random,
            "normalised": False,
            "image_size": found.image_size,
            "preprocessing": found.data,
            "feature": found.feature,
            "precision": options.precision,
        }
        slug = f"{found.spec.slug(found.sha256)}-{found.image_size}px"
        return EncoderIdentity(slug, facts, {}, environment(options, found.image_size))

    def encode_texts(self, texts: list[str]) -> Any:
        """Refuse texts: there is no text tower.

        Raises:
            UsageError: always.
        """
        raise UsageError("a timm encoder has no text tower: embed it with --no-text, as second encoder (--v2).")


def _resolve(spec: ModelSpec, options: EncoderOptions) -> _Resolved:
    architecture, _, own_tag = spec.model.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise UsageError(f"--encoder {spec.text}: timm has no model {architecture}. Near: {', '.join(near) or 'none'}.")
    refuse_random(spec, options.allow_random_weights)
    tag = own_tag or (spec.tag if spec.tag and not spec.random else "")
    try:
        config = timm.get_pretrained_cfg(f"{architecture}.{tag}" if tag else architecture)
    except RuntimeError as error:
        tags = timm.list_pretrained(f"{architecture}.*")
        raise UsageError(f"--encoder {spec.text}: {error} timm has {', '.join(tags) or 'none'}.") from error
    data = timm.data.resolve_data_config(pretrained_cfg=config.to_dict() if config else {})
    arguments: dict[str, Any] = {}
    if "dinov2" in architecture:
        arguments["img_size"] = _DINOV2_SIZE
        data |= {"input_size": (3, _DINOV2_SIZE, _DINOV2_SIZE), "crop_pct": _DINOV2_CROP}
    data = {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}
    if spec.random:
        return _Resolved(spec, data, arguments, None, random_sha256(canonical_json([architecture, data])))
    if spec.file is not None:
        return _Resolved(spec, data, arguments, spec.file, options.file_sha256(spec.file))
    if config is None or not config.hf_hub_id:
        tags = timm.list_pretrained(f"{architecture}.*")
        raise UsageError(
            f"--encoder {spec.text}: which weights? timm has {', '.join(tags) or 'none for it'}; or =FILE."
        )
    file = hub_file(config.hf_hub_id, _HUB_NAMES, spec.text, offline=options.offline)
    return _Resolved(spec, data, arguments, file, options.file_sha256(file))


def _build(found: _Resolved) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model: Any = timm.create_model(found.architecture, pretrained=False, num_classes=0, **found.arguments)
    if found.file is None:
        return model
    read = read_state_dict(found.file)
    # Without a classifier timm's own loading is not strict: it would take any file.
    try:
        state = _converted(read, model)
    except Exception as error:  # of timm's conversions, which take the weights for what they expect
        fits = " or ".join(_models_of(read, found.architecture)) or "none of the models of a similar name"
        raise InputError(
            f"{found.file}: not the weights of {found.architecture}: timm cannot convert them ({error!r}). "
            f"They fit {fits}."
        ) from error
    near = partial(_models_of, read, found.architecture)
    load_strict(model, state, found.file, found.architecture, near)
    return model


def _converted(state: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Rename weights as timm names them, without the classifier's."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    found = convert(dict(state), model) if convert is not None else state
    heads = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    return {name: value for name, value in found.items() if not name.startswith(heads)}


def _models_of(state: Mapping[str, Tensor], architecture: str) -> list[str]:
    """List timm's models of a similar name that the weights fit, without giving them values."""
    family = architecture.split("_")[0]
    others = [name for name in timm.list_models(f"{family}_*") if name != architecture]
    found = []
    for name in difflib.get_close_matches(architecture, others, n=_NEAR, cutoff=0.5):
        size: dict[str, Any] = {"img_size": _DINOV2_SIZE} if "dinov2" in name else {}
        try:
            with torch.device("meta"):
                model: Any = timm.create_model(name, pretrained=False, num_classes=0, **size)
            # timm resamples positions, which needs values: give it some, and compare shapes alone.
            converted = _converted({key: torch.zeros(value.shape) for key, value in state.items()}, model)
        except Exception:  # of timm's conversions: these weights are not that model's
            continue
        own = {key: value.shape for key, value in model.state_dict().items()}
        if own == {key: value.shape for key, value in converted.items()}:
            found.append(name)
    return found
