"""A seed's world on disk and in a workspace: drawn, decoded, cropped by true and by random boxes, embedded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.pocket.cells import SOURCES
from benchmarks.pocket.controls import frames_of, random_boxes
from data_manifests.schema import LABELS
from pipelines.chain.readers import reader_of
from pipelines.chain.stages import (
    decode_stages,
    embed_stages,
    hands_stages,
)
from pipelines.decode.options import DecodeOptions
from pipelines.embed.options import EmbedOptions
from pipelines.embed.stage import EmbedStage
from pipelines.engine import stage
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import number_of
from pipelines.engine.machine import Machine
from pipelines.engine.progress import Progress
from pipelines.engine.workspace import Workspace
from pipelines.hands.options import HandsOptions
from pipelines.prepare.options import Ego4dOptions, EpicOptions
from pipelines.prepare.stage import prepare
from pocket_kitchens import box_tables
from pocket_kitchens.build import FORMS, build_world
from pocket_kitchens.drawing.domains import EGO4D, EPIC
from pocket_kitchens.world import SIZES, SPLITS, PlannedVideo, noun_predicts_verb, plan_world

_READERS = {"epic": EpicOptions, "ego4d": Ego4dOptions}
_DOMAINS = {"epic": EPIC, "ego4d": EGO4D}
_EMBED_BATCH = 64
"""Pictures a forward pass: of so small an encoder 1.4 times as many a second as with 16."""


@dataclass(frozen=True)
class World:
    """A world that is embedded.

    Attributes:
        seed: of the world, and of everything trained on it.
        folder: of the drawn world.
        workspace: what was made from it.
        encoder: folder name of the encoder.
        hands: kind of the boxes → folder name of the hand stream.
    """

    seed: int
    folder: Path
    workspace: Workspace
    encoder: str
    hands: dict[str, str]


def make_world(
    folder: Path,
    size: str,
    seed: int,
    encoder: str,
    machine: Machine,
    progress: Progress,
    boxes: Sequence[str] = ("true", "random"),
    frames: DecodeOptions | None = None,
) -> World:
    """Draw the world and run the ordinary stages on it up to the vectors; what is there is not made again.

    Args:
        folder: of this seed.
        size: a key of :data:`pocket_kitchens.world.SIZES`.
        seed: which world.
        encoder: a model spec.
        machine: workers, device.
        progress: told of each part.
        boxes: kinds of boxes to crop by, of a cell's ``boxes``; the first one brings the full frames and the text.
        frames: segments and candidates of a clip; None = the defaults.

    Raises:
        XmicError: as the stages do; what was done stays.
    """
    drawn = folder / "world"
    build_world(drawn, size, seed, machine.workers, progress)
    workspace = Workspace.open(folder / "work")
    for name in SOURCES:
        form = FORMS[name]
        options_of_reader = _READERS[name](annotations=drawn / form.ANNOTATIONS)
        prepare(workspace, name, reader_of(options_of_reader), [drawn / form.VIDEOS], progress=progress)
        for item in decode_stages(workspace, name, None, frames or DecodeOptions(), machine):
            stage.run(item, progress=progress)
    slugs: dict[str, str] = {}
    hands: dict[str, str] = {}
    for name in SOURCES:
        for kind in boxes:
            options = _hands_options(kind, drawn, name, seed)
            detectors = hands_stages(workspace, name, None, options, machine)
            for item in detectors:
                stage.run(item, progress=progress)
            chosen = detectors[0].folder.name
            both = EmbedOptions(encoder, batch_size=_EMBED_BATCH, detector=chosen)
            wanted = both if kind == boxes[0] else replace(both, streams="hand", text=False)
            for item in embed_stages(workspace, name, None, wanted, machine):
                stage.run(item, progress=progress)
                if isinstance(item, EmbedStage) and item.stream == "hand":
                    slugs[name], hands[kind] = item.encoder.identity.slug, item.stream_slug
    return World(seed, drawn, workspace, slugs["epic"], hands)


def _hands_options(kind: str, folder: Path, domain: str, seed: int) -> HandsOptions:
    """Detection of a kind of boxes: 'true', 'random', or 'detected' by the packaged hand model."""
    if kind == "detected":
        return HandsOptions()
    table = box_tables.table_path(folder, domain) if kind == "true" else _random_table(folder, domain, seed)
    return HandsOptions(detector="boxes", boxes=table)


def _random_table(folder: Path, domain: str, seed: int) -> Path:
    true = box_tables.table_path(folder, domain)
    file = true.with_name("random_boxes.parquet")
    if not file.is_file():
        moved = random_boxes(pq.read_table(true), number_of(f"random boxes/{domain}/{seed}"))
        with replace_atomically(file) as temporary:
            pq.write_table(moved, temporary)
    return file


def nuisances(world: World, size: str) -> dict[str, dict[str, Any]]:
    """What could give the answer away without looking, or make it impossible, by domain.

    Returns:
        Of each domain: 'noun_predicts_verb', percent of test clips; 'no_hand', percent of all frames; 'unseen_pairs'
        and 'unseen_clips', percent of the test clips' verb–noun pairs and of the test clips whose pair no training clip
        shows; 'classes': split → label → clips of each class, most first.
    """
    found = {}
    for name, domain in _DOMAINS.items():
        videos = plan_world(domain, SIZES[size], world.seed)
        table = pq.read_table(box_tables.table_path(world.folder, name), columns=["video", "time_s", "x0"])
        frames = int(frames_of(table)[-1]) + 1
        found[name] = {
            "noun_predicts_verb": noun_predicts_verb(videos),
            "no_hand": 100 * table.column("x0").null_count / frames,
            **_unseen(videos),
            "classes": {split: {label: _counts(videos, split, label) for label in LABELS} for split in SPLITS},
        }
    return found


def _unseen(videos: list[PlannedVideo]) -> dict[str, float]:
    pairs = {split: [(c.verb, c.noun) for v in videos if v.split == split for c in v.clips] for split in SPLITS}
    seen = set(pairs["train"])
    of_pairs = [pair not in seen for pair in set(pairs["test"])]
    of_clips = [pair not in seen for pair in pairs["test"]]
    return {"unseen_pairs": 100 * float(np.mean(of_pairs)), "unseen_clips": 100 * float(np.mean(of_clips))}


def _counts(videos: list[PlannedVideo], split: str, label: str) -> dict[str, int]:
    clips = [getattr(clip, label) for video in videos if video.split == split for clip in video.clips]
    return dict(Counter(clips).most_common())
