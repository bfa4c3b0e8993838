"""Parse model specs and identify encoders without loading them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, UsageError
from pipelines.embed.options import EmbedOptions, ImportFeaturesOptions
from pipelines.engine.command_lines import command_line
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.workspace import Workspace

POCKET = "pocket"
"""Spec of the packaged encoder: a small CLIP of the drawn world (:mod:`packaged_models.encoder`)."""

IMPORTED = "imported:"
"""Start of the recorded spec of vectors that were made elsewhere; their name follows."""

_POCKET_FILES = Path(__file__).parents[1] / "model"

POCKET_WORDS = _POCKET_FILES / "pocket.words.json"
"""File of the words in the captions that the packaged encoder was trained on, under 'noun' and 'verb'."""

RANDOM = "random"
SEED = 0
"""Seed of random weights: they are the same on every machine of a kind."""

OPEN_CLIP_CONFIG = "open_clip_config.json"
"""File of the model's configuration in an open_clip repository or snapshot folder."""

_HUB, _FOLDER = "hf-hub:", "local-dir:"
_FOLDER_WEIGHTS = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
_FORMS = (
    "expected FAMILY:MODEL/TAG (open_clip:ViT-B-16/openai), FAMILY:MODEL=FILE (open_clip:ViT-B-16=clip.safetensors), "
    "open_clip:FOLDER of a hub snapshot, open_clip:hf-hub:OWNER/NAME, or pocket"
)


@dataclass(frozen=True)
class ModelSpec:
    """Model spec, parsed from an option.

    Attributes:
        family: 'open_clip', 'timm' or 'lavila'.
        model: the family's name of the model, or the path of an open_clip model configuration (.json).
        tag: pretrained tag, 'random', or None.
        file: weights file, or None.
    """

    family: str
    model: str
    tag: str | None = None
    file: Path | None = None

    @property
    def hub(self) -> str | None:
        """Repository on the hub that holds configuration and weights, 'owner/name', or None."""
        return self.model.removeprefix(_HUB) if self.model.startswith(_HUB) else None

    @property
    def random(self) -> bool:
        """True if the spec asks for random weights."""
        return self.tag == RANDOM

    @property
    def text(self) -> str:
        """Spec without folders, as artifacts record it: they hold no path."""
        if self.file == _POCKET_FILES / "pocket.safetensors":
            return POCKET
        model = Path(self.model).name if self.model.endswith(".json") else self.model
        if self.file is not None:
            return f"{self.family}:{model}={self.file.name}"
        return f"{self.family}:{model}/{self.tag}" if self.tag else f"{self.family}:{model}"

    @property
    def located(self) -> str:
        """Spec with absolute paths, which finds the files from any folder."""
        if self.text == POCKET:
            return POCKET
        model = str(Path(self.model).resolve()) if self.model.endswith(".json") else self.model
        if self.file is not None:
            return f"{self.family}:{model}={self.file.resolve()}"
        return f"{self.family}:{model}/{self.tag}" if self.tag else f"{self.family}:{model}"

    def slug(self, weights_sha256: str) -> str:
        """Return the folder name of the model with these weights.

        It is the model and the first 8 hex digits of the weights' sha256.
        """
        safe = re.sub(r"[^A-Za-z0-9.]+", "-", self.text.replace(".json", "")).strip("-").lower()
        return f"{safe}-{weights_sha256[:8]}"


@dataclass(frozen=True)
class EncoderOptions:
    """Precision, batch size, device and network for running an encoder.

    Attributes:
        precision: 'fp32', 'bf16' or 'fp16'.
        batch_size: pictures per forward pass; the last batch is padded.
        device: 'cpu', 'cuda', 'cuda:1', …
        offline: never use the network.
        allow_random_weights: accept the tag 'random'.
        file_sha256: returns the sha256 of a file; may cache it.
        compiled: compile the image tower (torch.compile).
    """

    precision: str
    batch_size: int
    device: str
    offline: bool = False
    allow_random_weights: bool = False
    file_sha256: Callable[[Path], str] = whole_file_sha256
    compiled: bool = False


@dataclass(frozen=True)
class EncoderIdentity:
    """Identity of an encoder, known without loading it.

    Attributes:
        slug: folder name of its vectors, with the weights' hash in it.
        provenance: everything that decides the image vectors; plain values.
        text_provenance: everything that decides the text vectors; plain values.
        environment: device and ``batch_shape``, whose first number is the pictures per forward pass.
        clips: True if the encoder can make one vector of several frames (``embed_clips``).
    """

    slug: str
    provenance: Mapping[str, Any]
    text_provenance: Mapping[str, Any]
    environment: Mapping[str, Any]
    clips: bool = False


def parse_spec(spec: str) -> ModelSpec:
    """Parse a model spec; ``pocket`` names the packaged files.

    The folder of a snapshot that open_clip reads is its configuration and weights file. ``hf-hub:OWNER/NAME`` and
    ``local-dir:FOLDER`` are open_clip's own words; its name before them may be left out.

    Raises:
        UsageError: the spec has none of these forms.
        InputError: a file that it names is missing.
    """
    if spec == POCKET:
        return ModelSpec("open_clip", str(_POCKET_FILES / "pocket.json"), None, _POCKET_FILES / "pocket.safetensors")
    if spec.startswith((_HUB, _FOLDER)):
        spec = f"open_clip:{spec}"
    family, colon, rest = spec.partition(":")
    if not colon or not family or not rest:
        raise UsageError(f"--encoder {spec}: {_FORMS}.")
    if rest.startswith(_HUB):
        return _of_hub(spec, family, rest)
    # A model's name is no folder, even where a folder has that name.
    named = Path(rest).is_dir() and (rest.startswith(("/", ".")) or (Path(rest) / OPEN_CLIP_CONFIG).is_file())
    if rest.startswith(_FOLDER) or named:
        return _of_folder(spec, family, Path(rest.removeprefix(_FOLDER)))
    model, equals, file = rest.partition("=")
    if equals:
        path = Path(file)
        if not path.is_file():
            raise InputError(f"--encoder {spec}: {path} is not there; {_FORMS}.")
        return ModelSpec(family, _existing(spec, model), None, path)
    head, slash, tag = rest.rpartition("/")
    if slash and not rest.endswith(".json"):
        return ModelSpec(family, _existing(spec, head), tag)
    return ModelSpec(family, _existing(spec, rest))


def _of_hub(spec: str, family: str, model: str) -> ModelSpec:
    owner, slash, name = model.removeprefix(_HUB).partition("/")
    if not (owner and slash and name) or "/" in name:
        raise UsageError(f"--encoder {spec}: expected hf-hub:OWNER/NAME.")
    if family == "timm" and owner == "timm":
        return ModelSpec(family, name)
    if family != "open_clip":
        raise UsageError(
            f"--encoder {spec}: {_HUB} is read for open_clip, and for timm's own repositories (timm:hf-hub:timm/NAME). "
            "Name a file: FAMILY:MODEL=FILE."
        )
    return ModelSpec(family, model)


def _of_folder(spec: str, family: str, folder: Path) -> ModelSpec:
    """Name configuration and weights of a snapshot folder; refuse one of another library."""
    if not folder.is_dir():
        raise InputError(f"--encoder {spec}: {folder} is not a folder; {_FORMS}.")
    weights = next((folder / name for name in _FOLDER_WEIGHTS if (folder / name).is_file()), None)
    config = folder / OPEN_CLIP_CONFIG
    if family == "open_clip" and weights is not None and config.is_file():
        return ModelSpec(family, str(config), None, weights)
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    expected = f"open_clip's {OPEN_CLIP_CONFIG} and {' or '.join(_FOLDER_WEIGHTS)}"
    then = f"{family}:MODEL={weights}" if weights is not None else f"{family}:MODEL=FILE"
    raise InputError(
        f"--encoder {spec}: {folder} holds {there}; expected {expected}. For weights of another form name the model "
        f"they were made for and their file: {then}. Weights in transformers' form (config.json) are not read."
    )


def _existing(spec: str, model: str) -> str:
    if model.endswith(".json") and not Path(model).is_file():
        raise InputError(f"--encoder {spec}: {model} is not there; expected an open_clip model configuration.")
    return model


def refuse_random(spec: ModelSpec, allowed: bool) -> None:
    """Refuse random weights unless they are allowed.

    Raises:
        UsageError: the spec asks for them without ``--allow-random-weights``.
    """
    if spec.random and not allowed:
        raise UsageError(
            f"--encoder {spec.text}: random weights give numbers that mean nothing. Name trained weights, or pass "
            "--allow-random-weights to try the chain; artifacts and reports will say so."
        )


def random_sha256(description: str) -> str:
    """Hash the description and seed of a model with random weights.

    The result takes the place of the weights' sha256.
    """
    return hashlib.sha256(f"random weights, seed {SEED}: {description}".encode()).hexdigest()


def is_spec(text: str) -> bool:
    """Tell a model spec from the folder name of an encoder."""
    return ":" in text or text == POCKET


def embed_command(
    workspace: Workspace,
    dataset: str,
    split: str | None,
    encoder: str | None,
    recorded: str | None = None,
    **options: Any,
) -> str:
    """Write the command line that embeds a split or dataset.

    Args:
        workspace: knows where the files of encoders lie.
        dataset: its name.
        split: its split; None = all splits.
        encoder: a folder name, or a spec as a user gives it; None = any.
        recorded: the spec that the encoder's vectors were made with, which holds no folders.
        options: other options of ``xmic embed``.

    Returns:
        The command line, with NAME in the place of a spec that is not known.
    """
    spec = workspace.encoders.get(encoder or "") or recorded
    if spec is not None and spec.startswith(IMPORTED):
        return _import_command(workspace, dataset, split, spec.removeprefix(IMPORTED), options)
    if spec is None:
        spec = encoder if encoder is not None and is_spec(encoder) else "NAME"
    return command_line("embed", EmbedOptions(spec, **options), dataset, split=split, root=workspace.root)


def _import_command(
    workspace: Workspace, dataset: str, split: str | None, name: str, options: Mapping[str, Any]
) -> str:
    """Write the command line that imports vectors of a split, or those of the class names."""
    stream: Any = options.get("streams") if options.get("streams") == "hand" else "full"
    texts = () if split else ("noun=FILE", "verb=FILE")
    chosen = ImportFeaturesOptions(
        dataset=dataset,
        split=split,
        name=name,
        vectors=Path("FILE") if split else None,
        stream=stream,
        text=texts,
        plan=options.get("plan"),
    )
    return command_line("import-features", chosen, root=workspace.root)
