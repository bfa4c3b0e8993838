"""Match our numbers with the paper's.

Matching numbers are on the same whole datasets, under the same encoder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from data_manifests.schema import Label
from pipelines.embed.encoders.openai_files import model_published_as
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.metrics_file import Metrics
from pipelines.report.paper import PaperCell, paper_cells
from pipelines.report.table_cells import PaperNumber
from pipelines.report.table_groups import Group

CLASSES: dict[str, dict[Label, tuple[int, ...]]] = {
    "epic": {"noun": (300,), "verb": (97,)},
    "ego4d": {"noun": (521,), "verb": (117,)},
    "egtea": {"noun": (53, 54), "verb": (19, 20)},
}
"""Class counts of the paper's datasets. Drawn worlds have the same names, but other classes."""

CLIPS = {"epic": 9_668, "ego4d": 32_500, "egtea": 6_000}
"""Fewest labelled clips of the paper's splits: EPIC-KITCHENS-100's validation, and the 33K of the paper's Ego4D.
EGTEA's three test splits have 6,065, of which a few name no noun."""

SPLITS = {"epic": "val", "ego4d": "val", "egtea": "test"}
"""The splits that the paper evaluates on."""

ENCODERS = {
    "CLIP ViT-B/16": re.compile(r"open_clip:ViT-B-16(-quickgelu)?/openai"),
    "CLIP ViT-L/14": re.compile(r"open_clip:ViT-L-14(-quickgelu)?/openai"),
    "Lavila ViT-L/14": re.compile(r"lavila:CLIP_OPENAI_TIMESFORMER_LARGE=.*"),
}
"""The paper's encoders, and the specs that are known to be them."""

_DINO = re.compile(r"timm-vit-large-patch14-dinov2.*")


def dataset_named(workspace: Workspace, dataset: str) -> str | None:
    """Name the paper's dataset by a dataset's reader, else by its name.

    It is None for any other dataset.
    """
    settings = workspace.datasets.get(dataset)
    names = [settings.reader] if settings else []
    return next((name for name in [*names, dataset] if name in CLASSES), None)


def real_place(workspace: Workspace, metrics: Metrics | None) -> str | None:
    """Name the paper's dataset that an evaluation is on.

    The dataset, the split and the numbers of classes and clips must be the paper's; else it is None. One of EGTEA's
    test splits alone is None too.
    """
    if metrics is None:
        return None
    name = dataset_named(workspace, metrics.target.dataset)
    if name is None or metrics.target.split != SPLITS[name] or not metrics.labels:
        return None
    as_in_paper = all(
        numbers.classes in CLASSES[name][label] and numbers.n_official >= CLIPS[name]
        for label, numbers in metrics.labels.items()
    )
    return name if as_in_paper else None


def encoder_named(protocol: Mapping[str, Any]) -> str:
    """Name the classifying encoder as the paper does, else by its folder."""
    spec, folder = str(protocol.get("encoder_spec")), str(protocol.get("encoder"))
    # A file that OpenAI published is its weights; the folder's name ends with the first digits of the file's sha256.
    if spec.startswith("open_clip:") and "=" in spec:
        model = model_published_as(folder.rpartition("-")[2])
        spec = f"open_clip:{model}/openai" if model else spec
    known = (name for name, pattern in ENCODERS.items() if pattern.fullmatch(spec))
    return next(known, folder)


def v2_named(protocol: Mapping[str, Any]) -> str:
    """Name the second encoder as a setting of the paper's tables.

    It is 'v2=dino' for the paper's, 'v2=<folder>' for another, '' for none.
    """
    v2 = protocol.get("v2")
    if v2 is None:
        return ""
    return "v2=dino" if _DINO.fullmatch(str(v2)) else f"v2={v2}"


def comparable(group: Group, table: int) -> bool:
    """Return whether the paper's row has the same protocol as these runs.

    The protocol is the encoder, the class names, 16 frames per clip and the published recipe, unchanged, on all of the
    training clips. There are no random or mixed artifacts and no list of clips.
    """
    run, said = group.run, group.protocol
    encoder = encoder_named(said)
    if encoder not in ENCODERS or (table != 5 and encoder != "CLIP ViT-B/16"):
        return False
    published = run.recipe in (None, "published") and run.source_val is None and not run.changed_recipe
    sampled = said.get("names") in (None, "official") and str(said.get("plan")).startswith("seg16-")
    return published and sampled and not set(group.marks) & {"R", "M", "O"} and not any(group.clip_lists)


class PaperRows:
    """Numbers of one of the paper's tables for one direction.

    They are empty where our runs are on other datasets.
    """

    def __init__(self, table: int, source: str | None, cross: str | None) -> None:
        self._cells = [cell for cell in paper_cells() if cell.table == table and cell.source == source]
        crossed = {cell.target for cell in self._cells if cell.kind in ("cross", "hm", "shared", "novel")}
        if cross not in crossed:
            self._cells = []

    def __bool__(self) -> bool:
        return bool(self._cells)

    def number(self, method: str, setting: str, label: Label, kind: str) -> PaperNumber | None:
        """Return the paper's number of a row and column, else None.

        ``kind`` is one of those of :func:`pipelines.report.table_cells.measured`.
        """
        wanted = "hm" if kind == "shared-novel hm" else kind
        found = (cell for cell in self._cells if (cell.method, cell.setting) == (method, setting))
        here: Sequence[PaperCell] = [cell for cell in found if (cell.label, cell.kind) == (label, wanted)]
        return PaperNumber(here[0].value, here[0].recomputed) if here else None


def variants(table: int) -> list[tuple[str, str]]:
    """List the (method, setting) of each row of a paper's table.

    Rows are in the paper's order.
    """
    return list(dict.fromkeys((cell.method, cell.setting) for cell in paper_cells() if cell.table == table))
