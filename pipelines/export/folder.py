"""Export a trained run into a folder of its own.

The folder has the weights, the configuration, the class names and a model card.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_manifests.drawn_world import all_drawn
from data_manifests.errors import UsageError
from data_manifests.schema import Label
from pipelines.engine.leftovers import remove_leftovers, temporary_name
from pipelines.engine.shards import read_rows
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.exported import CARD, CLASSES, write_index
from pipelines.evaluate.metrics_file import METRICS, Metrics, read_metrics
from pipelines.evaluate.run_config import read_summary
from pipelines.evaluate.run_facts import run_facts
from pipelines.evaluate.trained import TrainedRun
from pipelines.export.card import DRAWN, Card, result_rows, terms_of, warnings_of
from pipelines.train.finished import CONFIG, SUMMARY, WEIGHTS
from pipelines.train.protocol import text_file

_OF_HEAD = (CONFIG, WEIGHTS, SUMMARY)
_HEADS: Mapping[Label, str] = {"noun": "nouns", "verb": "verbs"}


@dataclass(frozen=True)
class Exported:
    """Files and evaluations of an exported run.

    Attributes:
        folder: where.
        files: name → sha256, of all files but the index itself.
        evaluations: 'dataset split' of each evaluation in the card.
    """

    folder: Path
    files: Mapping[str, str]
    evaluations: Sequence[str]


def export_run(workspace: Workspace, run: TrainedRun, into: Path, licence: str | None = None) -> Exported:
    """Write a run as a self-contained folder.

    ``--run FOLDER`` takes it in the place of a run's name.

    ``<label>/`` holds ``config.json``, ``weights.safetensors``, ``summary.json`` and ``classes.json`` (the class names
    in the order of the scores), ``README.md`` is the model card, and ``xmic.json`` lists each file with its sha256.

    Args:
        workspace: the run's.
        run: with at least one finished head.
        into: a new or empty folder.
        licence: of the weights, an SPDX identifier, for the card.

    Raises:
        UsageError: the folder is not empty.
        InputError: the run's weights are not those that its heads were finished with, or an evaluation cannot be read.
        MissingUpstream: the class names are not embedded any more.
    """
    remove_leftovers(into.parent, f".{into.name}.")
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise UsageError(f"--into {into}: it is not empty. Name a new folder; nothing is overwritten.")
    evaluations = _evaluations(workspace, run)
    names = {label: _class_names(workspace, run, label) for label in run.heads}
    summaries = {label: read_summary(run.folder / label) for label in run.heads}
    card = _card(workspace, run, summaries, evaluations, licence)
    building = into.with_name(temporary_name(f".{into.name}."))
    try:
        for label in run.heads:
            head = building / label
            head.mkdir(parents=True)
            for name in _OF_HEAD:
                shutil.copyfile(run.folder / label / name, head / name)
            (head / CLASSES).write_text(json.dumps(names[label], indent=0, ensure_ascii=False) + "\n", "utf-8")
        (building / CARD).write_text(card.markdown(), "utf-8")
        files = write_index(building, run.config["name"], run.config["key"])
        with suppress(FileNotFoundError):
            into.rmdir()
        building.replace(into)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise UsageError(
            f"--into {into}: another export has written it meanwhile. Name a new folder; nothing is overwritten."
        ) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Exported(into, files, [str(metrics.target) for metrics in evaluations])


def _class_names(workspace: Workspace, run: TrainedRun, label: Label) -> list[str]:
    source = run.config["source"]["dataset"]
    names: list[str] = read_rows(text_file(workspace, source, run.protocol, label), ["name"]).column(0).to_pylist()
    return names


def _evaluations(workspace: Workspace, run: TrainedRun) -> list[Metrics]:
    folder = workspace.evaluations / run.config["name"]
    found = [read_metrics(file) for file in sorted(folder.glob(f"*/{METRICS}"))]
    of_run = [metrics for metrics in found if metrics.run.key == run.config["key"]]
    return sorted(of_run, key=lambda metrics: not metrics.within)


def _card(
    workspace: Workspace,
    run: TrainedRun,
    summaries: Mapping[Label, Mapping[str, Any]],
    evaluations: Sequence[Metrics],
    licence: str | None,
) -> Card:
    config, protocol = run.config, run.protocol
    source = config["source"]
    classified = next(v for name, v in protocol.vectors.items() if name.startswith(f"{protocol.encoder}/"))
    hand = next((v for v in protocol.vectors.values() if v.get("stream") == "hand"), {})
    specs = sorted({str(vectors["spec"]) for vectors in protocol.vectors.values()})
    shown = {
        "classified stream": protocol.classify,
        "conditioning streams": protocol.streams,
        "second encoder": protocol.v2 if protocol.v2 != protocol.encoder else None,
        "detector": hand.get("detector"),
        "crop": hand.get("crop"),
        "segments": protocol.segments,
        "prompt": protocol.prompt,
        "class names": protocol.names,
        "precision": classified.get("precision"),
    }
    reader = _recorded_by(workspace, source["dataset"])
    return Card(
        name=config["name"],
        method=config["method"],
        preset=config["preset"],
        seed=config["seed"],
        key=config["key"],
        encoder=str(classified["spec"]),
        encoder_sha256=str(classified.get("weights_sha256")),
        source=f"{source['dataset']} {source['split']}{' (drawn videos)' if reader == DRAWN else ''}",
        heads=[_HEADS[label] for label in run.heads],
        summaries=summaries,
        recipe=run_facts(config).terms,
        protocol={name: value for name, value in shown.items() if value is not None},
        versions=config["versions"],
        results=result_rows(evaluations),
        warnings=warnings_of(evaluations),
        terms=terms_of(reader, specs),
        licence=licence,
    )


def _recorded_by(workspace: Workspace, dataset: str) -> str | None:
    """Return the reader of the training data, or :data:`DRAWN`; None of a dataset that the workspace does not know."""
    settings = workspace.datasets.get(dataset)
    if settings is None:
        return None
    return DRAWN if all_drawn(settings.roots) else settings.reader
