"""Encoders by open_clip, CLIP and its relatives: image and text tower."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.embed.encoders.base import DTYPES, FrozenImageEncoder, normalised_levels
from pipelines.embed.encoders.centre import with_resized_centre
from pipelines.embed.encoders.open_clip_config import ResolvedModel, resolve
from pipelines.embed.encoders.open_clip_identity import OpenClipIdentity
from pipelines.embed.encoders.open_clip_sizes import models_of
from pipelines.embed.encoders.open_clip_text import open_text_tower
from pipelines.embed.encoders.open_clip_visual import open_visual_tower
from pipelines.embed.encoders.spec import SEED, EncoderOptions, parse_spec
from pipelines.embed.encoders.weights import load_strict, read_state_dict
from pipelines.methods.text_tower import TextTower
from pipelines.methods.visual_tower import VisualTower

_TEXT_BATCH = 64
_LARGEST_LOG_SCALE = 10.0
# OpenAI's files carry these beside the weights.
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")


class OpenClipEncoder(OpenClipIdentity, FrozenImageEncoder):
    """open_clip model with an image tower and a text tower.

    QuickGELU is on where the configuration of the tag or model asks for it, and for the files that OpenAI published.
    Another file of OpenAI's weights does not record it: name the ``-quickgelu`` model.

    Attributes:
        dim: D, the joint width.
        logit_scale: τ, the exponential of the stored value.
    """

    def __init__(self, spec: str, options: EncoderOptions) -> None:
        found = resolve(parse_spec(spec), options)
        model = _build(found)
        self._model = model.to(options.device).eval().requires_grad_(False)
        # The text tower stays in fp32: its vectors are few and become the classifier.
        self._model.visual.to(DTYPES[options.precision])
        self._found, self._offline = found, options.offline
        self.logit_scale = float(self._model.logit_scale.detach().exp())
        transform = image_transform_v2(PreprocessCfg(size=found.image_size, **found.preprocess), is_train=False)
        *geometry, _, normalisation = transform.transforms
        self._geometry = with_resized_centre(geometry)
        self._mean_std = (list(normalisation.mean), list(normalisation.std))
        self._normalised = normalised_levels(*self._mean_std)
        dim, size = int(found.config["embed_dim"]), found.image_size
        super().__init__(self._model.encode_image, transform, dim, size, options)
        if found.file is not None:
            self.refuse_silence(str(found.file))

    @classmethod
    def fetch_text(cls, spec: str, options: EncoderOptions) -> None:
        """Load the tokenizer, which downloads its files.

        Raises:
            InputError: it cannot be loaded.
        """
        _tokenizer_of(resolve(parse_spec(spec), options), options.offline)

    def preprocess(self, picture: np.ndarray) -> Tensor:
        """Preprocess a picture by the encoder's own transform, to the bit.

        The last steps of the transform are looked up per level, which takes a third of their time.

        Args:
            picture: uint8 RGB [H, W, 3].

        Returns:
            float32 [3, S, S].
        """
        levels = self.picture(picture)
        found = np.empty(levels.shape, np.float32)
        for channel, table in enumerate(self._normalised):
            np.take(table, levels[channel], out=found[channel], mode="clip")
        return torch.from_numpy(found)

    def picture(self, picture: np.ndarray) -> np.ndarray:
        """Resize and crop a picture, as ``preprocess`` does before it normalises.

        Args:
            picture: uint8 RGB [H, W, 3].

        Returns:
            uint8 [3, S, S].
        """
        cut = Image.fromarray(picture)
        for step in self._geometry:
            cut = step(cut)
        return np.array(cut).transpose(2, 0, 1)

    def visual_tower(self) -> VisualTower:
        """Return the image transformer with the weights of this encoder.

        Raises:
            UsageError: the transformer is of another kind, or was loaded in half precision. Gradients need fp32.
        """
        if self._dtype != torch.float32:
            raise UsageError(f"{self._found.spec.text}: gradients through it need fp32, it was loaded in {self._dtype}")
        return open_visual_tower(self._model.visual, *self._mean_std, self._found.spec.text)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts in batches of one fixed shape.

        Returns:
            Raw text vectors, float32 [n, D].

        Raises:
            InputError: a text is longer than the tower's context, or the tokenizer cannot be loaded.
        """
        return text_vectors(self._model, texts, self._tokenizer, self._found.context, self.dim)

    def text_tower(self) -> TextTower:
        """Return the frozen fp32 text transformer, through which gradients pass.

        Raises:
            UsageError: the transformer is of another kind; see
                :func:`pipelines.embed.encoders.open_clip_text.open_text_tower`.
            InputError: its tokenizer cannot be loaded.
        """
        return open_text_tower(self._model, self._tokenizer, self._found.spec.text)

    @cached_property
    def _tokenizer(self) -> Any:
        return _tokenizer_of(self._found, self._offline)


def _tokenizer_of(found: ResolvedModel, offline: bool) -> Any:
    name, text = found.hub_tokenizer, found.config["text_cfg"]
    options = text.get("tokenizer_kwargs") or {}
    if name is None:
        tokenizer = SimpleTokenizer(context_length=found.context, **options)
        if text.get("vocab_size", tokenizer.vocab_size) < tokenizer.vocab_size:
            raise InputError(
                f"{found.spec.text}: its vocabulary has {text['vocab_size']} entries, open_clip's tokenizer "
                f"{tokenizer.vocab_size}. Set text_cfg.vocab_size to that."
            )
        return tokenizer
    try:
        mode = text.get("tokenizer_mode")
        return HFTokenizer(name, found.context, tokenizer_mode=mode, local_files_only=offline, **options)
    except Exception as error:  # transformers is optional, and raises its own
        raise InputError(
            f"{found.spec.text}: its tokenizer {name} cannot be loaded ({' '.join(str(error).split())[:200]}). Install "
            f"transformers and run xmic fetch {found.spec.text} with network, or embed pictures only: --no-text."
        ) from error


def text_vectors(model: Any, texts: Sequence[str], tokenizer: Any, context: int, dim: int) -> np.ndarray:
    """Encode texts in batches of one fixed shape.

    Args:
        model: has ``encode_text``: token ids [B, context] → [B, D].
        texts: n texts.
        tokenizer: makes the token ids.
        context: tokens per text.
        dim: D.

    Returns:
        Raw text vectors, float32 [n, D].

    Raises:
        InputError: a text is longer than the context.
    """
    _refuse_cut_texts(texts, tokenizer, context)
    device = next(model.parameters()).device
    found = []
    for start in range(0, len(texts), _TEXT_BATCH):
        part = list(texts[start : start + _TEXT_BATCH])
        tokens = tokenizer(part + [""] * (_TEXT_BATCH - len(part)), context_length=context)
        with torch.inference_mode():
            vectors = model.encode_text(tokens.to(device))
        if not (vectors.isfinite().all() and vectors.any(-1).all()):
            raise InputError(
                "the encoder's text tower gives zeros or values that are not finite: its weights are broken."
            )
        found.append(vectors[: len(part)].float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, dim), np.float32)


def _refuse_cut_texts(texts: Sequence[str], tokenizer: Any, context: int) -> None:
    if not hasattr(tokenizer, "encode"):
        return
    for text in texts:
        length = len(tokenizer.encode(text)) + 2
        if length > context:
            raise InputError(f"class text {text[:60]!r}: {length} tokens, the text tower takes {context}; shorten it.")


def _build(found: ResolvedModel) -> Any:
    model = _network(found)
    if found.file is None:
        return model
    read = read_state_dict(found.file)
    if not found.quick_gelu and any(name in read for name in _NOT_WEIGHTS):
        raise InputError(
            f"{found.file}: OpenAI's own weights (they hold {', '.join(_NOT_WEIGHTS)}), which were trained with "
            f"QuickGELU; {found.name} is without it. Name "
            f'open_clip:{found.name}-quickgelu={found.file}, or a configuration with "quick_gelu": true.'
        )
    state = {name: value for name, value in read.items() if name not in _NOT_WEIGHTS}
    try:
        state = convert_state_dict(model, state)
        if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
            state = convert_to_custom_text_state_dict(state)
    except Exception as error:  # of open_clip's conversions, which take the weights for what they expect
        raise InputError(
            f"{found.file}: not the weights of {found.name}: open_clip cannot convert them ({error!r})."
        ) from error
    if "logit_scale" in state:
        _refuse_no_logarithm(state["logit_scale"], found)
        state["logit_scale"] = state["logit_scale"].reshape(model.logit_scale.shape)
    load_strict(model, state, found.file, found.name, near=lambda: models_of(state))
    return model


def _refuse_no_logarithm(scale: Tensor, found: ResolvedModel) -> None:
    """Refuse a scale that is no logarithm: 100 itself instead of ln 100 = 4.6."""
    value = float(scale) if scale.numel() == 1 else float("nan")
    if not abs(value) <= _LARGEST_LOG_SCALE:
        raise InputError(
            f"{found.file}: its logit_scale is {value:g}; expected the logarithm of the scale, such as 4.605 for 100. "
            f"If {value:g} is the scale itself, save its logarithm."
        )


def _network(found: ResolvedModel) -> Any:
    """Build the model with random weights of a fixed seed.

    It is built from its class, not by ``open_clip.create_model``, which knows models by name only. A user's
    configuration would have to be registered for the whole process, and would hide open_clip's own of the same name.
    """
    config = {**deepcopy(found.config), "quick_gelu": found.quick_gelu}
    if "hf_model_name" in config["text_cfg"]:
        raise InputError(f"{found.spec.text}: its text tower is a transformers model, which is not supported.")
    custom_text = config.pop("custom_text", False)
    coca = custom_text and "multimodal_cfg" in config
    build: Any = open_clip.CoCa if coca else open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        try:
            return build(**config)
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise InputError(f"{found.spec.text}: open_clip cannot build this configuration ({error}).") from error
