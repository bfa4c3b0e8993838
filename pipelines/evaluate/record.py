"""``metrics.json``: what one evaluation says, and under what it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data_manifests.schema import Label
from pipelines.environment import versions
from pipelines.evaluate.metrics import class_mean, hits, top_k
from pipelines.shards import read_footer, read_rows
from pipelines.train.features import SplitClips, StreamVectors
from pipelines.vocabulary import identity_of, vocabulary_of

if TYPE_CHECKING:
    from pipelines.evaluate.run import EvaluateStage

METRICS_SCHEMA = 2
_LAST = {"select": "last", "source_val": None, "target": None, "leaking": False}
"""How the epoch was kept of runs that were trained before there was a choice."""


def vocabulary_of_evaluation(item: EvaluateStage) -> dict[str, Any]:
    """Which classes of another dataset the run's own has too, by the exact rule: label → what identifies the split.

    Empty within the dataset, and where the run's own dataset is not prepared in this workspace.

    Raises:
        InputError: another version of xmic wrote a class list.
    """
    source = item.run.config["source"]["dataset"]
    if item.dataset == source:
        return {}
    if not item.workspace.splits(source):
        item.progress.note(f"{source} is not prepared in {item.workspace.root}: shared and novel classes are not known")
        return {}
    found = {label: vocabulary_of(item.workspace, source, item.dataset, label) for label in item.run.heads}
    return {label: identity_of(vocabulary) for label, vocabulary in found.items()}


def metrics_of(item: EvaluateStage, mixed: list[dict[str, Any]], vocabulary: dict[str, Any]) -> dict[str, Any]:
    """Everything that metrics.json says.

    Args:
        item: an evaluation whose predictions are written.
        mixed: what differs between run and target, from :func:`pipelines.protocol.on_target`.
        vocabulary: from :func:`vocabulary_of_evaluation`.
    """
    run, config = item.run, item.run.config
    predictions = read_rows(item.folder / "predictions.parquet")
    source = config["source"]
    vectors = item.target.vectors or {}
    hand = next((v for v in vectors.values() if v.get("stream") == "hand"), None)
    any_vector = next(iter(vectors.values()), {})
    protocol = {
        "encoder": item.target.encoder,
        "encoder_spec": next((v.get("spec") for k, v in vectors.items() if k.startswith(item.target.encoder)), None),
        "v2": item.target.v2 if item.target.v2 != item.target.encoder else None,
        "streams": item.target.streams,
        "classify": item.target.classify,
        "clip_frames": next((v["clip_frames"] for v in vectors.values() if v.get("stream") == "clip"), None),
        "detector": hand.get("detector") if hand else None,
        "crop": hand.get("crop") if hand else None,
        "plan": item.frames.plan.slug,
        "precision": any_vector.get("precision"),
        "prompt": item.target.prompt,
        "names": item.target.names,
    }
    random = {str(v.get("encoder")) for v in vectors.values() if v.get("random_weights")}
    return {
        "schema": METRICS_SCHEMA,
        "run": run_facts(config),
        "xmic_vector": item.vectors,
        "source": source,
        "target": {"dataset": item.dataset, "split": item.split},
        "within": item.dataset == source["dataset"],
        "protocol": protocol,
        "random_weights": sorted(random),
        "pretrained_on": {str(v["encoder"]): v["pretrained_on"] for v in vectors.values() if "pretrained_on" in v},
        "mixed": mixed,
        "vocabulary": vocabulary,
        "hand_fallback_rate": next((s.whole_frame for s in _hand_streams(item)), None),
        "labels": {
            label: {**label_metrics(predictions, item.clips, label, item.counts[label]), **_chosen(item, label)}
            for label in run.heads
        },
        "failures": _failures(item),
        "versions": versions("xmic", "torch", "open_clip_torch", "timm", "ultralytics", "av", "numpy", "pyarrow"),
        "commands": [item.command.removesuffix(f" -w {item.workspace.root}")],
    }


def run_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What every result says of its run: which one, by which recipe, and how its epoch was kept."""
    recipe, selection = config["recipe"], config.get("selection", _LAST)
    chosen_on = selection["target"]
    return {
        **{name: config[name] for name in ("name", "method", "preset", "seed", "key")},
        "recipe": recipe["name"] if recipe else None,
        "epochs": recipe["epochs"] if recipe else None,
        "select": selection["select"],
        "source_val": selection["source_val"],
        "select_target": chosen_on and f"{chosen_on['dataset']}:{chosen_on['split']}",
        "leaking": selection["leaking"],
    }


def label_metrics(predictions: pa.Table, clips: SplitClips, label: Label, classes: int) -> dict[str, Any]:
    """The numbers of one label: percent over the evaluated clips, and how many those are of all labelled ones.

    'recordings' is recording → [clips whose top-1 is right, clips]: what intervals are drawn from.
    """
    official = clips.labels[label]
    result: dict[str, Any] = {
        "n_official": int(np.count_nonzero(official >= 0)),
        "classes": classes,
        "classes_present": len(np.unique(official[official >= 0])),
    }
    truth = predictions.column(f"{label}_class").fill_null(-1).to_numpy()
    kept = truth >= 0
    result["n_evaluated"] = int(np.count_nonzero(kept))
    if not result["n_evaluated"]:
        return {**result, "top1": None, "top5": None, "class_mean": None, "recordings": {}}
    flat = predictions.column(f"{label}_scores").combine_chunks().flatten().to_numpy()
    scores = flat.reshape(len(truth), classes)[kept]
    recording = dict(zip(clips.clip_ids, clips.recordings, strict=True))
    recordings: dict[str, list[int]] = {}
    clip_ids = predictions.column("clip_id").to_numpy(zero_copy_only=False)[kept]
    for clip_id, right in zip(clip_ids, hits(scores, truth[kept]), strict=True):
        counts = recordings.setdefault(recording[clip_id], [0, 0])
        counts[0] += int(right)
        counts[1] += 1
    return {
        **result,
        "top1": top_k(scores, truth[kept], 1),
        "top5": top_k(scores, truth[kept], 5),
        "class_mean": class_mean(scores, truth[kept]),
        "recordings": dict(sorted(recordings.items())),
    }


def _chosen(item: EvaluateStage, label: Label) -> dict[str, Any]:
    """'selected_epoch' from 1, and with the recipe ``matched`` the chosen 'lr'."""
    summary = json.loads((item.run.folder / label / "summary.json").read_text(encoding="utf-8"))
    return {name: summary[name] for name in ("selected_epoch", "lr") if name in summary}


def _hand_streams(item: EvaluateStage) -> list[StreamVectors]:
    return [stream for stream in item.streams.values() if stream.whole_frame is not None]


def _failures(item: EvaluateStage) -> dict[str, dict[str, int]]:
    """Failed rows by stage, from the footers of what the evaluation reads."""
    found: dict[str, dict[str, int]] = {}
    base = item.workspace.root / "embeddings" / item.dataset / item.split / item.frames.plan.slug
    places = [("decode", item.frames.folder)]
    places += [
        (f"embed {stream}", base / encoder / stream) for encoder, stream in sorted(set(item.target.needed.values()))
    ]
    for name, folder in places:
        for part in sorted(folder.glob("part-*.parquet")):
            for reason, count in read_footer(part).failures.items():
                counts = found.setdefault(name, {})
                counts[reason] = counts.get(reason, 0) + count
    return found
