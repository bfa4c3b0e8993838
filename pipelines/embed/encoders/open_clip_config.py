"""Find an open_clip model's configuration, preprocessing and weights file, without loading them."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.embed.encoders.hub_files import hub_file
from pipelines.embed.encoders.openai_files import model_published_as
from pipelines.embed.encoders.spec import OPEN_CLIP_CONFIG, EncoderOptions, ModelSpec, random_sha256, refuse_random
from pipelines.engine.digest import canonical_json

HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_QUICK = "-quickgelu"


@dataclass(frozen=True)
class ResolvedModel:
    """Spec with everything that can be looked up without loading the weights."""

    spec: ModelSpec
    name: str
    config: dict[str, Any]
    preprocess: dict[str, Any]
    quick_gelu: bool
    file: Path | None
    sha256: str

    @property
    def image_size(self) -> int:
        """Side of the input in pixels."""
        size = self.config["vision_cfg"].get("image_size", 224)
        return int(size[0] if isinstance(size, list | tuple) else size)

    @property
    def context(self) -> int:
        """Tokens per text."""
        return int(self.config["text_cfg"].get("context_length", 77))

    @property
    def hub_tokenizer(self) -> str | None:
        """Name of a tokenizer on the hub, or None for open_clip's own."""
        return self.config["text_cfg"].get("hf_tokenizer_name")


def resolve(spec: ModelSpec, options: EncoderOptions) -> ResolvedModel:
    """Find configuration, preprocessing and weights of a spec.

    The network is used only for what is not on this machine.

    Raises:
        UsageError: unknown model or tag, random weights that were not allowed, or a published file of another model.
        InputError: a configuration file is wrong.
        MissingUpstream: a file is not on this machine and may not be downloaded.
    """
    name, config, preprocess = config_of(spec, options.offline)
    refuse_random(spec, options.allow_random_weights)
    quick_gelu = bool(config.get("quick_gelu", False))
    if spec.random:
        sha256 = random_sha256(canonical_json(config))
        return ResolvedModel(spec, name, config, preprocess or _preprocess({}), quick_gelu, None, sha256)
    if spec.file is not None:
        sha256 = options.file_sha256(spec.file)
        if _is_openais(spec, name, sha256):
            preprocess, quick_gelu = _preprocess({}), True
        preprocess = preprocess or _published_preprocess(spec, name)
        return ResolvedModel(spec, name, config, preprocess, quick_gelu, spec.file, sha256)
    if spec.hub is not None:
        file = hub_file(spec.hub, HUB_NAMES, spec.text, offline=options.offline)
        filled = preprocess or _preprocess({})
        return ResolvedModel(spec, name, config, filled, quick_gelu, file, options.file_sha256(file))
    if spec.tag is None:
        raise UsageError(
            f"--encoder {spec.text}: which weights? Name a tag ({spec.text}/openai), a file ({spec.text}=FILE), or "
            f"{spec.text}/random with --allow-random-weights."
        )
    tag = _open_clip().get_pretrained_cfg(name, spec.tag)
    if not tag:
        tags = _open_clip().list_pretrained_tags_by_model(name)
        raise UsageError(
            f"--encoder {spec.text}: open_clip has no tag {spec.tag} for {name}; it has {', '.join(tags) or 'none'}."
        )
    quick_gelu = bool(tag.get("quick_gelu", quick_gelu))
    file = _pretrained_file(tag, spec, options.offline)
    return ResolvedModel(spec, name, config, _preprocess(tag), quick_gelu, file, options.file_sha256(file))


def _is_openais(spec: ModelSpec, name: str, sha256: str) -> bool:
    """Tell whether a file is the one that OpenAI published for this model."""
    model = model_published_as(sha256)
    if model is None:
        return False
    if name.removesuffix(_QUICK) != model:
        raise UsageError(
            f"--encoder {spec.text}: {spec.file} is OpenAI's {model} (sha256 {sha256[:12]}…). "
            f"Name it so: open_clip:{model}={spec.file}."
        )
    return True


def _preprocess(given: dict[str, Any]) -> dict[str, Any]:
    """Fill the gaps of a tag or ``preprocess_cfg`` with OpenAI's values, as open_clip does."""
    return {
        "mean": list(given.get("mean") or _open_clip().OPENAI_DATASET_MEAN),
        "std": list(given.get("std") or _open_clip().OPENAI_DATASET_STD),
        "interpolation": given.get("interpolation") or "bicubic",
        "resize_mode": given.get("resize_mode") or "shortest",
    }


def _published_preprocess(spec: ModelSpec, name: str) -> dict[str, Any]:
    """Return the preprocessing that all published weights of a model share.

    A file does not record the preprocessing that it was trained with.

    Raises:
        UsageError: the published weights differ in preprocessing.
    """
    library = _open_clip()
    tags = library.list_pretrained_tags_by_model(name)
    known = {canonical_json(_preprocess(library.get_pretrained_cfg(name, tag))) for tag in tags}
    if len(known) > 1:
        raise UsageError(
            f"--encoder {spec.text}: the published weights of {name} differ in preprocessing "
            f"({' or '.join(sorted(known))}) and a file does not say which is its own. Name a configuration "
            "instead, open_clip:CONFIG.json=FILE, with 'model_cfg' and 'preprocess_cfg'; for OpenAI's weights name "
            "the -quickgelu model."
        )
    return json.loads(known.pop()) if known else _preprocess({})


def config_of(spec: ModelSpec, offline: bool) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    """Return a model's name, configuration and preprocessing.

    The preprocessing is None where no configuration file states it.
    """
    if spec.model.endswith(".json"):
        return _config_file(Path(spec.model))
    if spec.hub is not None:
        _, config, preprocess = _config_file(hub_file(spec.hub, (OPEN_CLIP_CONFIG,), spec.text, offline=offline))
        return spec.model, config, preprocess
    models = _open_clip().list_models()
    if spec.model not in models:
        near = difflib.get_close_matches(spec.model, models, n=3)
        raise UsageError(
            f"--encoder {spec.text}: open_clip has no model {spec.model}. Near: {', '.join(near) or 'none'}."
        )
    return spec.model, _open_clip().get_model_config(spec.model), None


def _config_file(path: Path) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); expected an open_clip model configuration.") from error
    config = content.get("model_cfg", content) if isinstance(content, dict) else None
    parts = ("embed_dim", "vision_cfg", "text_cfg")
    missing = [part for part in parts if not isinstance(config, dict) or part not in config]
    if config is None or missing:
        raise InputError(f"{path}: not an open_clip model configuration, it has no {', '.join(missing)}.")
    given = content.get("preprocess_cfg")
    return path.stem, config, _preprocess(given) if given else None


def _pretrained_file(tag: dict[str, Any], spec: ModelSpec, offline: bool) -> Path:
    repository, _, filename = tag.get("hf_hub", "").rpartition("/")
    if repository:
        names = (filename,) if filename else HUB_NAMES
        return hub_file(repository, names, spec.text, offline=offline, file_form=_file_form(tag, spec))
    cache = Path("~/.cache/clip").expanduser()
    cached = cache / Path(tag["url"]).name
    if cached.is_file():
        return cached
    then = (
        f"On a machine with network run: xmic fetch {spec.text}; then copy the file to that place here, or name it: "
        f"{_file_form(tag, spec)}."
    )
    if offline:
        raise MissingUpstream(
            f"{spec.text}: its weights are not at {cached}, and --offline forbids the network. {then}"
        )
    try:
        return Path(_open_clip().download_pretrained_from_url(tag["url"], str(cache)))
    except (OSError, RuntimeError) as error:  # no network, a server's refusal, or a file of another sha256
        raise MissingUpstream(
            f"{spec.text}: its weights are not at {cached}, and {tag['url']} could not be fetched ({error}). {then}"
        ) from error


def _file_form(tag: dict[str, Any], spec: ModelSpec) -> str:
    """Write the spec with which a file of a tag's weights is loaded as the tag loads them."""
    library, quick = _open_clip(), f"{spec.model}{_QUICK}"
    fits = tag.get("quick_gelu") and not library.get_model_config(spec.model).get("quick_gelu")
    model = quick if fits and quick in library.list_models() else spec.model
    return f"{spec.family}:{model}=FILE"


def _open_clip() -> Any:
    """Import open_clip, which takes seconds, where a model is known by its name alone."""
    import open_clip

    return open_clip
