"""``embed``: class names to raw vectors of a frozen encoder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from data_manifests.errors import UsageError
from data_manifests.schema import LABELS, Label
from pipelines.embed.encoders.spec import embed_command
from pipelines.embed.options import Names, check_prompt
from pipelines.embed.stage import LazyEncoder
from pipelines.embed.tables import text_vectors
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shards import Layout, read_footer
from pipelines.engine.stage import OpenShard, Unit
from pipelines.engine.workspace import Workspace
from pipelines.prepare.classes import read_classes

NAMES = get_args(Names)


def text_slug(prompt: str, names: str = "official") -> str:
    """File-safe name of a prompt and a choice of class names: 'bare' for the official name alone.

    Raises:
        UsageError: the prompt has not exactly one ``{}``, or ``names`` is none of :data:`NAMES`.
    """
    check_prompt(prompt)
    if names not in NAMES:
        raise UsageError(f"--names {names}: expected {', '.join(NAMES[:-1])} or {NAMES[-1]}")
    variant = "" if names == "official" else f"-{names}"
    if prompt == "{}":
        return f"bare{variant}"
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower().replace("{}", " ")).strip("-")[:40]
    return f"{words}-{hashlib.sha256(prompt.encode()).hexdigest()[:8]}{variant}"


def text_command(workspace: Workspace, dataset: str, params: Mapping[str, Any]) -> str:
    """The command line that makes class-name vectors of these parameters."""
    asked = {name: params[name] for name in ("prompt", "names") if name in params}
    return embed_command(workspace, dataset, None, None, params.get("spec"), **asked)


@dataclass
class TextStage:
    """Vectors of a dataset's class names by one encoder and prompt. See :class:`pipelines.engine.stage.Stage`."""

    workspace: Workspace
    dataset: str
    label: Label
    encoder: LazyEncoder
    prompt: str = "{}"
    names: str = "official"

    name = "embed text"
    version = 2
    sides: Mapping[str, Layout] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Dataset and label."""
        return f"{self.dataset} {self.label}s"

    @property
    def params(self) -> Mapping[str, Any]:
        """The encoder, the prompt and which class names."""
        own = {"prompt": self.prompt, "names": self.names, "label": self.label}
        return {**self.encoder.identity.text_provenance, **own}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Encoder, prompt and class names; the logit scale τ is added when the vectors are made."""
        return {**self.params, "encoder": self.encoder.identity.slug, "normalised": False}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions."""
        return versions("torch", "open_clip_torch")

    @property
    def layout(self) -> Layout:
        """Needs the encoder's width, so it loads the encoder."""
        return text_vectors(self.encoder.model.dim)

    @property
    def folder(self) -> Path:
        """``text/<dataset>/<encoder>``."""
        return self.workspace.text(self.dataset, self.encoder.identity.slug)

    @property
    def command(self) -> str:
        """The command line that makes them."""
        return text_command(self.workspace, self.dataset, self.params)

    def units(self) -> list[Unit]:
        """One file."""
        classes = read_classes(self.workspace, self.dataset, self.label)
        inputs = {"classes": read_footer(self.workspace.classes_file(self.dataset, self.label)).digest}
        name = f"{self.label}-{text_slug(self.prompt, self.names)}.parquet"
        return [Unit(name, self.folder / name, inputs, classes.num_rows, classes.num_rows * 4096, classes)]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Encode the prompted texts of every class in fp32; several texts of a class become one vector."""
        for unit in units:
            texts = self._texts(unit.payload)
            with open_shard(unit) as shard:
                model = self.encoder.model
                shard.provenance["logit_scale"] = model.logit_scale
                if texts:
                    encoded = np.asarray(model.encode_texts([text for several in texts for text in several]))
                    vectors = class_vectors(encoded, [len(several) for several in texts])
                    columns = {
                        "class_id": unit.payload.column("class_id"),
                        "name": unit.payload.column("name"),
                        "text": ["; ".join(several) for several in texts],
                        "vector": pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1]),
                    }
                    shard.write(pa.table(columns, schema=self.layout.schema))
            yield unit

    def _texts(self, classes: pa.Table) -> list[list[str]]:
        """The prompted texts of each class."""
        column = {"official": "name", "fixed": "fixed", "synonyms": "synonyms"}[self.names]
        found = classes.column(column).to_pylist()
        several = found if self.names == "synonyms" else [[name] for name in found]
        return [[self.prompt.replace("{}", name) for name in names] for names in several]


def class_vectors(encoded: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """One raw vector a class from the raw vectors of its texts.

    A class of one text has that text's vector. Of several, the direction is the mean of their unit vectors, as
    prompts are ensembled for CLIP; the length is the mean of their lengths, since X-MIC adds to raw text vectors and
    a unit vector would weigh less in that sum than the others.

    Args:
        encoded: [T, D], the texts of the first class, then those of the second, …
        counts: how many texts each of the C classes has, at least one.

    Returns:
        float32 [C, D].
    """
    several = np.split(encoded.astype(np.float64), np.cumsum(counts)[:-1])
    return np.stack([texts[0] if len(texts) == 1 else _mean(texts) for texts in several]).astype(np.float32)


def _mean(texts: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(texts, axis=1, keepdims=True)
    direction = (texts / lengths).mean(axis=0)
    return lengths.mean() * direction / np.linalg.norm(direction)


def text_stages(
    workspace: Workspace, dataset: str, encoder: LazyEncoder, prompt: str, names: str = "official"
) -> list[TextStage]:
    """The text stages of both labels.

    Raises:
        UsageError: see :func:`text_slug`.
        MissingUpstream, InputError: see :func:`pipelines.prepare.classes.read_classes`.
    """
    stages = [TextStage(workspace, dataset, label, encoder, prompt, names) for label in LABELS]
    for item in stages:
        item.units()  # says what is wrong before hours of frames are embedded
    return stages
