"""CLIP and its relatives by open_clip: image tower and text tower."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.pretrained import download_pretrained_from_url, get_pretrained_cfg
from open_clip.transform import PreprocessCfg, image_transform_v2

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.digest import canonical_json, whole_file_sha256
from pipelines.embed.encoders.base import DTYPES, FrozenImageEncoder, environment
from pipelines.embed.encoders.spec import (
    SEED,
    EncoderIdentity,
    ModelSpec,
    parse_spec,
    random_sha256,
    refuse_random,
)
from pipelines.embed.encoders.weights import hub_file

_HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_TEXT_BATCH = 64


@dataclass(frozen=True)
class _Resolved:
    """A spec with everything looked up that does not need the weights."""

    spec: ModelSpec
    name: str
    config: dict[str, Any]
    preprocess: dict[str, Any]
    quick_gelu: bool
    file: Path | None
    sha256: str

    @property
    def image_size(self) -> int:
        size = self.config["vision_cfg"].get("image_size", 224)
        return int(size[0] if isinstance(size, list | tuple) else size)


class OpenClipEncoder(FrozenImageEncoder):
    """An open_clip model. QuickGELU is on where the tag's own configuration asks for it (OpenAI's weights do);
    for a file of OpenAI weights name the ``-quickgelu`` model.

    Attributes:
        dim: D, the joint width.
        logit_scale: τ, the exponential of the stored value.
    """

    def __init__(
        self,
        spec: str,
        *,
        precision: str,
        batch_size: int,
        device: str,
        offline: bool = False,
        allow_random_weights: bool = False,
        file_sha256: Callable[[Path], str] = whole_file_sha256,
    ) -> None:
        found = _resolve(parse_spec(spec), offline, allow_random_weights, file_sha256)
        model = _build(found)
        self._model = model.to(device).eval().requires_grad_(False)
        # The text tower stays in fp32: its vectors are few and become the classifier.
        self._model.visual.to(DTYPES[precision])
        self._device_name = device
        self._tokenizer = open_clip.get_tokenizer(found.name)
        self.logit_scale = float(self._model.logit_scale.detach().exp())
        transform = image_transform_v2(PreprocessCfg(size=found.image_size, **found.preprocess), is_train=False)
        dim, size = int(found.config["embed_dim"]), found.image_size
        super().__init__(self._model.encode_image, transform, dim, size, precision, batch_size, device)

    @classmethod
    def describe(
        cls,
        spec: str,
        *,
        precision: str,
        batch_size: int,
        device: str,
        offline: bool = False,
        allow_random_weights: bool = False,
        file_sha256: Callable[[Path], str] = whole_file_sha256,
    ) -> EncoderIdentity:
        """See :func:`pipelines.embed.encoders.describe_encoder`."""
        found = _resolve(parse_spec(spec), offline, allow_random_weights, file_sha256)
        model = {
            "spec": found.spec.text,
            "weights_sha256": found.sha256,
            "random_weights": found.spec.random,
            "quick_gelu": found.quick_gelu,
            "normalised": False,
        }
        image = {**model, "image_size": found.image_size, "preprocessing": found.preprocess, "precision": precision}
        text = {**model, "tokenizer": "open_clip", "precision": "fp32"}
        slug = found.spec.slug(found.sha256)
        return EncoderIdentity(slug, image, text, environment(device, batch_size, found.image_size))

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Raw text vectors, float32 [n, D].

        Raises:
            InputError: a text is longer than the tower's context.
        """
        context = int(getattr(self._model, "context_length", 77) or 77)
        found = []
        for start in range(0, len(texts), _TEXT_BATCH):
            part = list(texts[start : start + _TEXT_BATCH])
            tokens = self._tokenizer(part, context_length=context)
            _refuse_cut_texts(part, self._tokenizer, context)
            with torch.inference_mode():
                found.append(self._model.encode_text(tokens.to(self._device_name)).float().cpu().numpy())
        return np.concatenate(found) if found else np.zeros((0, self.dim), np.float32)


def _refuse_cut_texts(texts: Sequence[str], tokenizer: Any, context: int) -> None:
    if not hasattr(tokenizer, "encode"):
        return
    for text in texts:
        length = len(tokenizer.encode(text)) + 2
        if length > context:
            raise InputError(f"class text {text[:60]!r}: {length} tokens, the text tower takes {context}; shorten it.")


def _resolve(spec: ModelSpec, offline: bool, allow_random: bool, file_sha256: Callable[[Path], str]) -> _Resolved:
    name, config = _config_of(spec)
    refuse_random(spec, allow_random)
    preprocess: dict[str, Any] = {
        "mean": list(open_clip.OPENAI_DATASET_MEAN),
        "std": list(open_clip.OPENAI_DATASET_STD),
    }
    preprocess |= {"interpolation": "bicubic", "resize_mode": "shortest"}
    quick_gelu = bool(config.get("quick_gelu", False))
    if spec.random:
        sha256 = random_sha256(canonical_json(config))
        return _Resolved(spec, name, config, preprocess, quick_gelu, None, sha256)
    if spec.file is not None:
        return _Resolved(spec, name, config, preprocess, quick_gelu, spec.file, file_sha256(spec.file))
    if spec.tag is None:
        raise UsageError(
            f"--encoder {spec.text}: which weights? Name a tag ({spec.text}/openai), a file ({spec.text}=FILE), or "
            f"{spec.text}/random with --allow-random-weights."
        )
    tag = get_pretrained_cfg(name, spec.tag)
    if not tag:
        tags = open_clip.list_pretrained_tags_by_model(name)
        raise UsageError(
            f"--encoder {spec.text}: open_clip has no tag {spec.tag} for {name}; it has {', '.join(tags) or 'none'}."
        )
    for key in ("interpolation", "resize_mode"):
        preprocess[key] = tag.get(key, preprocess[key])
    for key in ("mean", "std"):
        preprocess[key] = list(tag.get(key) or preprocess[key])
    file = _pretrained_file(tag, spec, offline)
    return _Resolved(spec, name, config, preprocess, bool(tag.get("quick_gelu", quick_gelu)), file, file_sha256(file))


def _config_of(spec: ModelSpec) -> tuple[str, dict[str, Any]]:
    name = spec.model
    if name.endswith(".json"):
        open_clip.add_model_config(Path(name))
        name = Path(name).stem
    config = open_clip.get_model_config(name)
    if config is None:
        near = difflib.get_close_matches(name, open_clip.list_models(), n=3)
        raise UsageError(f"--encoder {spec.text}: open_clip has no model {name}. Near: {', '.join(near) or 'none'}.")
    return name, config


def _pretrained_file(tag: dict[str, Any], spec: ModelSpec, offline: bool) -> Path:
    repository, _, filename = tag.get("hf_hub", "").rpartition("/")
    if repository:
        return hub_file(repository, (filename,) if filename else _HUB_NAMES, spec.text, offline=offline)
    cache = Path("~/.cache/clip").expanduser()
    cached = cache / Path(tag["url"]).name
    if cached.is_file():
        return cached
    if offline:
        raise MissingUpstream(
            f"{spec.text}: its weights are not at {cached}, and --offline forbids fetching them. Download {tag['url']} "
            f"to that place on a machine with network, or name a file: {spec.family}:{spec.model}=FILE."
        )
    return Path(download_pretrained_from_url(tag["url"], str(cache)))


def _build(found: _Resolved) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = open_clip.create_model(
            found.name, pretrained=None, load_weights=False, force_quick_gelu=found.quick_gelu, output_dict=False
        )
    if found.file is not None:
        try:
            open_clip.load_checkpoint(model, str(found.file), strict=True, weights_only=True)
        except Exception as error:  # torch, safetensors and open_clip each raise their own
            raise InputError(
                f"{found.file}: not the weights of {found.name} ({' '.join(str(error).split())[:300]}). Expected an "
                "open_clip state dict (safetensors, or a .pt that torch loads with weights_only)."
            ) from error
    return model
