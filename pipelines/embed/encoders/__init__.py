"""Frozen encoders, one file per family.

A family is found in a plain dict, an own class as ``package.module:Class``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.embed.encoders.spec import POCKET, EncoderIdentity, EncoderOptions
from pipelines.engine.plugins import load_class

ENCODERS = {
    "lavila": "pipelines.embed.encoders.lavila:LavilaEncoder",
    "open_clip": "pipelines.embed.encoders.open_clip:OpenClipEncoder",
    "timm": "pipelines.embed.encoders.timm:TimmEncoder",
}

IDENTITIES = {"open_clip": "pipelines.embed.encoders.open_clip_identity:OpenClipIdentity"}
"""Families whose encoders are described by a class of its own, which loads no network library."""

_BATCH_SIZE = 16


def describe_encoder(spec: str, **options: Any) -> EncoderIdentity:
    """Return the identity of an encoder, without loading it.

    Args:
        spec: ``FAMILY:MODEL[/TAG]`` or ``FAMILY:MODEL=FILE``, ``package.module:Class``, or ``pocket``.
        **options: the fields of :class:`pipelines.embed.encoders.spec.EncoderOptions`; ``batch_size`` None is the
            encoder's own.

    Raises:
        UsageError: unknown family or form, or random weights that were not allowed.
        InputError: a named file is missing or wrong.
        MissingUpstream: pretrained weights are not on this machine and may not be downloaded.
    """
    encoder = _class_of(spec, {**ENCODERS, **IDENTITIES})
    identity: EncoderIdentity = encoder.describe(spec, _options_of(encoder, spec, options))
    return identity


def load_encoder(spec: str, **options: Any) -> Any:
    """Load an encoder; arguments and errors are those of :func:`describe_encoder`."""
    encoder = _class_of(spec)
    return encoder(spec, _options_of(encoder, spec, options))


def fetch_encoder(spec: str, *, offline: bool, file_sha256: Callable[[Path], str]) -> list[Path]:
    """Find or download all files of an encoder.

    Args:
        spec: as for :func:`describe_encoder`.
        offline: look in the caches only.
        file_sha256: as in :class:`pipelines.embed.encoders.spec.EncoderOptions`.

    Returns:
        The files of its weights; none of an own class that does not name them.

    Raises:
        UsageError, InputError, MissingUpstream: see :func:`describe_encoder`; a tokenizer that cannot be loaded.
    """
    files: list[Path] = []

    def noted(file: Path) -> str:
        files.append(file)
        return file_sha256(file)

    encoder = _class_of(spec)
    options = EncoderOptions("fp32", 1, "cpu", offline, file_sha256=noted)
    encoder.describe(spec, options)
    if hasattr(encoder, "fetch_text"):
        encoder.fetch_text(spec, options)
    return list(dict.fromkeys(files))


def _options_of(encoder: Any, spec: str, options: Mapping[str, Any]) -> EncoderOptions:
    if options.get("batch_size") is not None:
        return EncoderOptions(**options)
    choose = getattr(encoder, "default_batch_size", None)  # a user's own encoder need not have one
    size = choose(spec, options["device"]) if choose else _BATCH_SIZE
    return EncoderOptions(**{**options, "batch_size": size})


def names_own_class(spec: str) -> bool:
    """Check that a spec names a class by ``package.module:Class``, which is imported."""
    family, _, rest = spec.partition(":")
    named = bool(family) and family not in ENCODERS and rest.isidentifier()
    return named and ("." in family or find_spec(family) is not None)


def _class_of(spec: str, known: Mapping[str, str] = ENCODERS) -> Any:
    family = spec.partition(":")[0]
    family = "open_clip" if spec == POCKET or family in ("hf-hub", "local-dir") else family
    return load_class(spec if names_own_class(spec) else family, known, "encoder family")
