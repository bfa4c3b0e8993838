"""Describe what a training did: accuracy, loss, time and place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data_manifests.times import clock_of


def trained_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Describe a run, with one line per head.

    Args:
        result: what :func:`pipelines.train.run.train_run` returns.
    """
    yield f"run {result['run']} in {result['folder']}"
    for label, head in result["heads"].items():
        did = "finished before, nothing to do"
        if label in result["trained"]:
            did = f"trained in {clock_of(result['seconds'][label], digits=0)}"
        yield f"  {label}: {'; '.join([did, *_facts(head, result['kept'][label])])}"
        yield from (f"    {_trial(trial)}" for trial in head.get("trials", []))


def _facts(head: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    if kept:
        accuracies = [
            f"{name.removesuffix('_accuracy').replace('_', ' ')} {value:.2f} %"
            for name, value in kept.items()
            if name.endswith("accuracy")
        ]
        yield f"loss {kept['loss']:.4f}, accuracy {', '.join(accuracies)} at epoch {kept['epoch']}"
    elif "selected_epoch" in head:
        yield f"epoch {head['selected_epoch']}"
    held_out = f", {head['held_out']:,} held out" if "held_out" in head else ""
    yield f"{head['clips']:,} clips{held_out}, {head['classes']:,} classes, {head['parameters']:,} parameters"
    if "lr" in head:
        yield f"learning rate {head['lr']:g}"


def _trial(trial: Mapping[str, Any]) -> str:
    if "diverged" in trial:
        return f"learning rate {trial['lr']:g}: the loss did not stay finite"
    return (
        f"learning rate {trial['lr']:g}: {trial['source_val_accuracy']:.2f} % of the held-out clips at epoch "
        f"{trial['epoch']}"
    )
