"""Run ``import-features --text``: store class vectors made elsewhere.

They go with frame vectors made elsewhere by the same encoder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data_manifests.errors import InputError, UsageError
from data_manifests.schema import Label
from pipelines.embed.imported import encoder_slug, facts_of
from pipelines.embed.options import ImportFeaturesOptions
from pipelines.embed.tables import text_vectors
from pipelines.embed.text import TextStage, text_slug
from pipelines.embed.vector_files import VectorFile
from pipelines.engine.command_lines import command_line
from pipelines.engine.environment import versions
from pipelines.engine.progress import Progress
from pipelines.engine.shards import Layout, read_footer
from pipelines.engine.stage import OpenShard, Unit
from pipelines.engine.workspace import Workspace
from pipelines.prepare.classes import read_classes


@dataclass
class ImportTextStage:
    """Stage that imports the vectors of a dataset's class names.

    A row of the file names its class by the official ``name``. The shard reads like that of
    :class:`pipelines.embed.text.TextStage`. See :class:`pipelines.engine.stage.Stage`.

    Attributes:
        encoder: name of the encoder, the same as for its frame vectors.
        source: the vectors.
        source_sha256: digest of the file.
        logit_scale: τ, the exponential of what the encoder stores; None = the one in the file.
    """

    workspace: Workspace
    dataset: str
    label: Label
    encoder: str
    source: VectorFile
    source_sha256: str
    logit_scale: float | None = None

    name = TextStage.name
    counted = TextStage.counted
    version = TextStage.version
    sides: Mapping[str, Layout] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check class names and logit scale.

        Raises:
            UsageError: no logit scale, or one that is not a positive number.
            InputError: a class has no vector, a name has two vectors, or a value is not finite.
        """
        if self._scale is None:
            raise UsageError(
                f"--logit-scale is missing: {self.source.path} does not say by what its encoder multiplies cosines "
                "(100 for OpenAI's CLIP)."
            )
        if not 0 < self._scale < math.inf:
            raise UsageError(f"--logit-scale {self._scale}: expected a positive number.")
        _ = self._rows

    @property
    def _scale(self) -> float | None:
        return self.source.scalars.get("logit_scale") if self.logit_scale is None else self.logit_scale

    @cached_property
    def _classes(self) -> pa.Table:
        return read_classes(self.workspace, self.dataset, self.label)

    @cached_property
    def _rows(self) -> list[int]:
        """Row of each class in the file."""
        names = self.source.texts("name")
        row_of: dict[str, int] = {}
        for row, name in enumerate(names):
            if row_of.setdefault(name, row) != row and not self.source.same(row_of[name], row):
                raise InputError(
                    f"{self.source.path}: rows {row_of[name]} and {row} are both of {name!r}, but their vectors differ."
                )
            if not np.isfinite(self.source.vectors[row].astype(np.float32)).all():
                raise InputError(f"{self.source.path}: row {row}, {name!r}: a value is not finite.")
        wanted = self._classes.column("name").to_pylist()
        lacking = [name for name in wanted if name not in row_of]
        if lacking:
            shown = ", ".join(map(repr, lacking[:5]))
            raise InputError(
                f"{self.source.path}: no vector of {len(lacking)} of the {len(wanted)} {self.label} classes of "
                f"{self.dataset}: {shown}. Names are those of xmic classes {self.dataset} {self.dataset}."
            )
        return [row_of[name] for name in wanted]

    @property
    def title(self) -> str:
        """Dataset and label."""
        return f"{self.dataset} {self.label}s"

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of the vectors: their provenance and the file's digest."""
        own = {"prompt": "{}", "names": "official", "label": self.label}
        facts = facts_of(self.encoder, self.source.normalised)
        return {**facts, **own, "logit_scale": self._scale, "source_sha256": self.source_sha256}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Provenance of the vectors: encoder, label and logit scale."""
        own = {name: value for name, value in self.params.items() if name != "source_sha256"}
        return {**own, "encoder": encoder_slug(self.encoder)}

    @property
    def environment(self) -> Mapping[str, Any]:
        """Name of the file, and versions of the libraries."""
        return {"file": self.source.path.name, **versions("numpy", "pyarrow")}

    @property
    def layout(self) -> Layout:
        """Layout of the file, as wide as the vectors."""
        return text_vectors(self.source.dim)

    @property
    def folder(self) -> Path:
        """Folder of the vectors: ``text/<dataset>/imported-<name>``."""
        return self.workspace.text(self.dataset, encoder_slug(self.encoder))

    @property
    def command(self) -> str:
        """Command line that imports these vectors."""
        options = ImportFeaturesOptions(
            dataset=self.dataset, name=self.encoder, text=(f"{self.label}=FILE",), logit_scale=self._scale
        )
        return command_line("import-features", options, root=self.workspace.root)

    def units(self) -> list[Unit]:
        """List the units: one file."""
        inputs = {"classes": read_footer(self.workspace.classes_file(self.dataset, self.label)).digest}
        rows = self._classes.num_rows
        path = self.folder / f"{self.label}-{text_slug('{}')}.parquet"
        return [Unit(path.name, path, inputs, rows, rows * (4 * self.source.dim + 40), self._classes)]

    def make(self, units: Iterable[Unit], open_shard: OpenShard, progress: Progress) -> Iterator[Unit]:
        """Write the vectors in the order of the classes."""
        for unit in units:
            vectors = self.source.vectors[self._rows].astype(np.float32)
            columns = {
                "class_id": unit.payload.column("class_id"),
                "name": unit.payload.column("name"),
                "text": unit.payload.column("name"),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), self.source.dim),
            }
            with open_shard(unit) as shard:
                shard.write(pa.table(columns, schema=self.layout.schema))
            yield unit
