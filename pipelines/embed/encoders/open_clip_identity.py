"""Identify encoders by open_clip, without PyTorch where their configuration is a file."""

from __future__ import annotations

from pipelines.embed.encoders.forward_passes import SizedByArithmetic, environment
from pipelines.embed.encoders.open_clip_config import config_of, resolve
from pipelines.embed.encoders.spec import EncoderIdentity, EncoderOptions, parse_spec
from pipelines.engine.digest import digest_json


class OpenClipIdentity(SizedByArithmetic):
    """Identity of an open_clip model."""

    @classmethod
    def describe(cls, spec: str, options: EncoderOptions) -> EncoderIdentity:
        """Return the identity, as :func:`pipelines.embed.encoders.describe_encoder` does."""
        found = resolve(parse_spec(spec), options)
        model = {
            "spec": found.spec.text,
            "weights_sha256": found.sha256,
            "random_weights": found.spec.random,
            # Heads and widths are not in the weights: the same file under another configuration is another encoder.
            "model_config_sha256": digest_json(found.config),
            "quick_gelu": found.quick_gelu,
            "normalised": False,
        }
        image = {
            **model,
            "image_size": found.image_size,
            "preprocessing": found.preprocess,
            "precision": options.precision,
        }
        tokenizer = found.hub_tokenizer or "open_clip"
        text = {**model, "tokenizer": tokenizer, "context_length": found.context, "precision": "fp32"}
        slug = found.spec.slug(found.sha256)
        return EncoderIdentity(slug, image, text, environment(options, found.image_size))

    @classmethod
    def gflop_of(cls, spec: str) -> float | None:
        """Return the image transformer's arithmetic per picture, or None."""
        parsed = parse_spec(spec)
        if parsed.hub is not None:  # its configuration may not be on this machine yet
            return None
        vision = config_of(parsed, offline=True)[1]["vision_cfg"]
        layers, width, patch = (vision.get(name) for name in ("layers", "width", "patch_size"))
        size = vision.get("image_size", 224)
        if not all(isinstance(value, int) for value in (layers, width, patch, size)):
            return None
        tokens = (size // patch) ** 2 + 1
        return 24e-9 * layers * tokens * width**2
