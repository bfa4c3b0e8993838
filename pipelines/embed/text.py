"""Run ``embed`` on class names: raw vectors of an encoder."""

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
    """Return the file-safe name of a prompt and a choice of names.

    It is 'bare' for the official name without a prompt.

    Raises:
        UsageError: the prompt has not exactly one ``{}``, or ``names`` is not in :data:`NAMES`.
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
    """Return the command line that makes class-name vectors of these parameters."""
    asked = {name: params[name] for name in ("prompt", "names") if name in params}
    return embed_command(workspace, dataset, None, None, params.get("spec"), **asked)


@dataclass
class TextStage:
    """Stage that embeds a dataset's class names by one encoder and prompt.

    See :class:`pipelines.engine.stage.Stage`.
    """

    workspace: Workspace
    dataset: str
    label: Label
    encoder: LazyEncoder
    prompt: str = "{}"
    names: str = "official"

    name = "embed text"
    counted = "classes"
    version = 2
    sides: Mapping[str, Layout] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Dataset and label."""
        return f"{self.dataset} {self.label}s"

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of the vectors: encoder, prompt, choice of names and label."""
        own = {"prompt": self.prompt, "names": self.names, "label": self.label}
        return {**self.encoder.identity.text_provenance, **own}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Provenance of the vectors: encoder, prompt and class names.

        The logit scale τ is added when the vectors are made.
        """
        return {**self.params, "encoder": self.encoder.identity.slug, "normalised": False}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Versions of the libraries."""
        return versions("torch", "open_clip_torch")

    @property
    def layout(self) -> Layout:
        """Layout of the file; loads the encoder to know its width."""
        return text_vectors(self.encoder.model.dim)

    @property
    def folder(self) -> Path:
        """Folder of the vectors: ``text/<dataset>/<encoder>``."""
        return self.workspace.text(self.dataset, self.encoder.identity.slug)

    @property
    def command(self) -> str:
        """Command line that makes these vectors."""
        return text_command(self.workspace, self.dataset, self.params)

    def units(self) -> list[Unit]:
        """List the units: one file."""
        classes = read_classes(self.workspace, self.dataset, self.label)
        inputs = {"classes": read_footer(self.workspace.classes_file(self.dataset, self.label)).digest}
        name = f"{self.label}-{text_slug(self.prompt, self.names)}.parquet"
        return [Unit(name, self.folder / name, inputs, classes.num_rows, classes.num_rows * 4096, classes)]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Encode the prompted texts of every class in fp32.

        Several texts of a class become one vector; see :func:`class_vectors`.
        """
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
        """Put the texts of each class into the prompt."""
        column = {"official": "name", "fixed": "fixed", "synonyms": "synonyms"}[self.names]
        found = classes.column(column).to_pylist()
        several = found if self.names == "synonyms" else [[name] for name in found]
        return [[self.prompt.replace("{}", name) for name in names] for names in several]


def class_vectors(encoded: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Combine the raw vectors of texts into one raw vector per class.

    A class of one text has that text's vector. Of several texts, the direction is the mean of their unit vectors, as
    prompts are ensembled for CLIP. The length is the mean of their lengths: X-MIC adds to raw text vectors, and a
    unit vector would weigh less in that sum than the others.

    Args:
        encoded: [T, D], the texts of the first class, then those of the second, …
        counts: number of texts of each of the C classes, at least one.

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
    """Make the text stages of both labels and check their inputs.

    Raises:
        UsageError: see :func:`text_slug`.
        MissingUpstream, InputError: see :func:`pipelines.prepare.classes.read_classes`.
    """
    stages = [TextStage(workspace, dataset, label, encoder, prompt, names) for label in LABELS]
    for item in stages:
        item.units()  # raises its errors before hours of frames are embedded
    return stages
