"""Image encoders by timm, such as DINOv2.

They serve as the second encoder V_II (X-MIC, Kukleva et al., CVPR 2024, Sec. 3.2).
"""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch

from data_manifests.errors import UsageError
from pipelines.embed.encoders.base import DTYPES, FrozenImageEncoder, environment
from pipelines.embed.encoders.spec import (
    SEED,
    EncoderIdentity,
    EncoderOptions,
    ModelSpec,
    parse_spec,
    random_sha256,
    refuse_random,
)
from pipelines.embed.encoders.weights import hub_file, load_strict, read_state_dict
from pipelines.engine.digest import canonical_json

_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
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
    state = read_state_dict(found.file)
    # Without a classifier timm's own loading is not strict: it would take any file.
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        state = convert(state, model)
    heads = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads))
    state = {name: value for name, value in state.items() if not name.startswith(heads)}
    load_strict(model, state, found.file, found.architecture)
    return model
