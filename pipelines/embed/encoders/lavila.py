"""Encoder by LaViLa: one vector of several frames, or of one.

LaViLa's dual encoder is by Zhao et al., CVPR 2023.

Facts from facebookresearch/LaViLa: models and their sizes in ``lavila/models/models.py``, preprocessing and the frame's
side in ``eval_zeroshot.py``, what a checkpoint holds in ``main_pretrain.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchvision.transforms.functional as transforms
from open_clip.tokenizer import SimpleTokenizer
from PIL import Image
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.embed.encoders.base import DTYPES, FrozenImageEncoder
from pipelines.embed.encoders.forward_passes import environment
from pipelines.embed.encoders.lavila_network import HEAD_WIDTH, DualEncoder, Sizes, sizes_of
from pipelines.embed.encoders.open_clip import text_vectors
from pipelines.embed.encoders.spec import EncoderIdentity, EncoderOptions, ModelSpec, parse_spec
from pipelines.embed.encoders.weights import load_strict, read_content, state_dict_in

MODELS = {
    "CLIP_OPENAI_TIMESFORMER_BASE": 224,
    "CLIP_OPENAI_TIMESFORMER_LARGE": 224,
    "CLIP_OPENAI_TIMESFORMER_LARGE_336PX": 336,
}
"""Models with CLIP's text tower → side of their frames in pixels."""

PREPROCESSING: Mapping[str, Any] = {
    "mean": [108.3272985, 116.7460125, 104.0937362],
    "std": [68.5005327, 66.6321579, 70.3231631],
    "of": "0 to 255",
    "interpolation": "bilinear",
    "antialias": False,
    "resize_mode": "shortest",
}
"""Preprocessing that the checkpoints were trained with.

The first mean is not CLIP's (122.77). The official resize of float frames does not antialias (torchvision 0.11).
"""


@dataclass(frozen=True)
class _Resolved:
    spec: ModelSpec
    sizes: Sizes
    state: Mapping[str, Tensor]
    pretrained_on: str
    sha256: str


class LavilaEncoder(FrozenImageEncoder):
    """LaViLa dual encoder, ``lavila:MODEL=FILE``.

    Attributes:
        dim: D, the joint width (256 in the official models).
        logit_scale: τ, the exponential of the stored value.
    """

    def __init__(self, spec: str, options: EncoderOptions) -> None:
        found = _resolve(parse_spec(spec), options)
        assert found.spec.file is not None
        with torch.random.fork_rng(devices=[]):
            network = DualEncoder(found.sizes)
        load_strict(network, found.state, found.spec.file, found.spec.model)
        self._network = network.to(options.device).eval().requires_grad_(False)
        # The text tower stays in fp32, as in the other families.
        dtype = DTYPES[options.precision]
        self._network.visual.to(dtype)
        self._network.image_projection.data = self._network.image_projection.data.to(dtype)
        self._tokenizer = _tokenizer(found)
        self._context = found.sizes.context
        self.logit_scale = float(self._network.logit_scale.exp())
        size = found.sizes.image_size
        super().__init__(self._network.encode_clip, _Transform(size), found.sizes.dim, size, options)
        self.refuse_silence(str(found.spec.file))

    @classmethod
    def describe(cls, spec: str, options: EncoderOptions) -> EncoderIdentity:
        """Return the identity, as :func:`pipelines.embed.encoders.describe_encoder` does."""
        found = _resolve(parse_spec(spec), options)
        size = found.sizes.image_size
        model = {
            "spec": found.spec.text,
            "weights_sha256": found.sha256,
            "random_weights": False,
            "pretrained_on": found.pretrained_on,
            "normalised": False,
        }
        image = {**model, "image_size": size, "preprocessing": dict(PREPROCESSING), "precision": options.precision}
        text = {**model, "tokenizer": "open_clip", "context_length": found.sizes.context, "precision": "fp32"}
        slug = found.spec.slug(found.sha256)
        return EncoderIdentity(slug, image, text, environment(options, size), clips=True)

    def embed(self, inputs: Sequence[Tensor]) -> np.ndarray:
        """Embed preprocessed pictures, each as a clip of one frame.

        Returns:
            Raw vectors, float32 [n, D].
        """
        return self._in_batches([picture[None] for picture in inputs], (self._shape[0], 1, *self._shape[1:]))

    def begin_embed(self, inputs: Sequence[Tensor]) -> Callable[[], np.ndarray]:
        """Begin to embed preprocessed pictures, each as a clip of one frame."""
        return self._begin([picture[None] for picture in inputs], (self._shape[0], 1, *self._shape[1:]))

    def _pass(self, batch: Tensor, forward: Any) -> Tensor:
        # Pictures without the dimension of a clip's frames: one alone, or those that the speed is measured on.
        return super()._pass(batch if batch.ndim == 5 else batch[:, None], forward)

    def embed_clips(self, inputs: Sequence[Sequence[Tensor]]) -> np.ndarray:
        """Embed clips of preprocessed frames.

        A forward pass takes as many clips as the batch size has frames for, at least one.

        Args:
            inputs: n clips of F frames each, the same F for all.

        Returns:
            Raw vectors, float32 [n, D].
        """
        if not inputs:
            return np.zeros((0, self.dim), np.float32)
        return self._in_batches([torch.stack(tuple(clip)) for clip in inputs], self._clip_shape(inputs))

    def begin_embed_clips(self, inputs: Sequence[Sequence[Tensor]]) -> Callable[[], np.ndarray]:
        """Begin to embed up to a batch of clips, as :meth:`embed_clips` does."""
        return self._begin([torch.stack(tuple(clip)) for clip in inputs], self._clip_shape(inputs))

    def _clip_shape(self, inputs: Sequence[Sequence[Tensor]]) -> tuple[int, ...]:
        frames = len(inputs[0])
        return (max(1, self._shape[0] // frames), frames, *self._shape[1:])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts in batches of one fixed shape.

        Returns:
            Raw text vectors, float32 [n, D].

        Raises:
            InputError: a text is longer than the tower's context.
        """
        return text_vectors(self._network, texts, self._tokenizer, self._context, self.dim)


@dataclass(frozen=True)
class _Transform:
    """Transform of a PIL image into float32 [3, S, S].

    It resizes the shorter side to S, crops the centre, and normalises by the mean and deviation of values 0–255.
    """

    size: int

    def __call__(self, image: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
        resized = transforms.resize(pixels, [self.size], transforms.InterpolationMode.BILINEAR, antialias=False)
        centre = transforms.center_crop(resized, [self.size, self.size])
        return transforms.normalize(centre, PREPROCESSING["mean"], PREPROCESSING["std"])


def _tokenizer(found: _Resolved) -> SimpleTokenizer:
    tokenizer = SimpleTokenizer(context_length=found.sizes.context)
    if found.sizes.vocabulary != tokenizer.vocab_size:
        raise InputError(
            f"{found.spec.file}: its text tower knows {found.sizes.vocabulary} tokens, CLIP's tokenizer has "
            f"{tokenizer.vocab_size}. Name a checkpoint with CLIP's text tower."
        )
    return tokenizer


def _resolve(spec: ModelSpec, options: EncoderOptions) -> _Resolved:
    known = ", ".join(MODELS)
    if spec.model not in MODELS:
        raise UsageError(f"--encoder {spec.text}: lavila has no model {spec.model}; it has {known}.")
    if spec.file is None:
        raise UsageError(
            f"--encoder {spec.text}: which checkpoint? Download one from the model zoo of facebookresearch/LaViLa and "
            f"name it: lavila:{spec.model}=FILE."
        )
    content = read_content(spec.file, [argparse.Namespace])
    arguments = content.get("args") if isinstance(content, dict) else None
    said = vars(arguments) if isinstance(arguments, argparse.Namespace) else {}
    if said.get("model", spec.model) != spec.model:
        then = f"Name it: lavila:{said['model']}=FILE." if said["model"] in MODELS else f"Models that can: {known}."
        raise InputError(f"{spec.file}: the checkpoint of {said['model']}, not of {spec.model}. {then}")
    state = state_dict_in(content, spec.file)
    sizes = _checked_sizes(spec, state, said)
    dataset = said.get("dataset", "ego4d")
    pretrained_on = "Ego4D" if dataset == "ego4d" else f"Ego4D and {dataset}"
    return _Resolved(spec, sizes, state, pretrained_on, options.file_sha256(spec.file))


def _checked_sizes(spec: ModelSpec, state: Mapping[str, Tensor], said: Mapping[str, Any]) -> Sizes:
    try:
        sizes = sizes_of(state)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{spec.file}: not the weights of {spec.model}: a tensor that tells its sizes is missing or misshapen "
            f"({error}). Expected a LaViLa dual encoder with CLIP's text tower, which narrators, classifiers and "
            "DistilBERT models do not have."
        ) from error
    if sizes.width % HEAD_WIDTH or sizes.text_width % HEAD_WIDTH:
        raise InputError(
            f"{spec.file}: towers {sizes.width} and {sizes.text_width} wide; expected multiples of {HEAD_WIDTH}, the "
            "width of CLIP's attention heads."
        )
    if sizes.image_size != MODELS[spec.model] or sizes.patches != (sizes.image_size // sizes.patch) ** 2:
        raise InputError(
            f"{spec.file}: {sizes.patches} patches of {sizes.patch} pixels a frame; {spec.model} takes frames of "
            f"{MODELS[spec.model]} pixels."
        )
    if said.get("project_embed_dim", sizes.dim) != sizes.dim:
        raise InputError(
            f"{spec.file}: its arguments say project_embed_dim {said['project_embed_dim']}, its projection has "
            f"{sizes.dim}. The file is inconsistent; download it again."
        )
    return sizes
