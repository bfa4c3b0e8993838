"""Write and check the summary that marks a head as finished.

A summary names its weights by their sha256; the configuration names the clips that the head was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.clips import clips_footer
from pipelines.engine.digest import canonical_json, digest_json, whole_file_sha256
from pipelines.engine.sealed import SHA256, is_changed, sealed
from pipelines.engine.shards import set_aside
from pipelines.engine.workspace import Workspace

CONFIG, SUMMARY, WEIGHTS, LOG = "config.json", "summary.json", "weights.safetensors", "metrics.jsonl"
_SHA256, _LOG_SHA256 = "weights_sha256", "log_sha256"
BESIDE_THE_KEY = frozenset({"name", "key", "label", "dims", "sources", "versions", "threads", "processes", SHA256})
"""Members of a head's configuration that its key does not cover."""


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write ``summary.json`` of a head, which marks the head as finished.

    The sha256 of its weights, of its log and of the summary itself are added to it.
    """
    summary = {**summary, _SHA256: whole_file_sha256(folder / WEIGHTS)}
    if (folder / LOG).is_file():
        summary[_LOG_SHA256] = whole_file_sha256(folder / LOG)
    with replace_atomically(folder / SUMMARY) as temporary:
        temporary.write_text(canonical_json(sealed(summary)) + "\n")


def is_summarised(folder: Path) -> bool:
    """Return True if a head was finished; its weights are not checked."""
    return (folder / SUMMARY).is_file()


def what_is_damaged(folder: Path) -> str | None:
    """Describe the damage of a finished head.

    Returns:
        None if the weights are those that the head was finished with, or if it was not finished.
    """
    if not is_summarised(folder):
        return None
    try:
        summary = json.loads((folder / SUMMARY).read_text("utf-8"))
        known, changed = summary.get(_SHA256), is_changed(summary)
    except (ValueError, AttributeError, RecursionError):
        return f"{folder / SUMMARY}: not JSON as xmic train writes it"
    if changed:
        return f"{folder / SUMMARY}: not the summary that was written"
    weights = folder / WEIGHTS
    if not weights.is_file():
        return f"{weights}: is missing"
    # Summaries of older versions have no sha256.
    if known is not None and whole_file_sha256(weights) != known:
        return f"{weights}: not the weights that the head was finished with"
    return None


def is_log_damaged(folder: Path) -> bool:
    """Check the log of a finished head against its summary."""
    try:
        known = json.loads((folder / SUMMARY).read_text("utf-8")).get(_LOG_SHA256)
        return known is not None and whole_file_sha256(folder / LOG) != known
    except (FileNotFoundError, ValueError, AttributeError, RecursionError):
        return is_summarised(folder)


def read_log(folder: Path) -> list[str]:
    """Read the lines of a head's log.

    A head without a log has no lines.

    Raises:
        InputError: it is not the log that the head ended with, or a line is no JSON object with an epoch.
    """
    file = folder / LOG
    if not file.is_file():
        return []
    try:
        lines = file.read_text("utf-8").splitlines()
        whole = all("epoch" in json.loads(line) for line in lines)
    except (ValueError, TypeError, RecursionError):
        whole = False
    if not whole or is_log_damaged(folder):
        raise InputError(
            f"{file}: not the log that the head was trained with. Put it back, or remove {SUMMARY} beside it and run "
            "the same xmic train to train the head again."
        )
    return lines


def what_is_changed(config: Mapping[str, Any]) -> str | None:
    """Describe how a head's configuration differs from what was written.

    Returns:
        None if it is as written. A run's key is the digest of its settings, so other settings have another key.
    """
    if is_changed(config):
        return "its content is not what was written"
    settings = {name: value for name, value in config.items() if name not in BESIDE_THE_KEY}
    return None if digest_json(settings) == config.get("key") else "its settings are not those of its key"


def set_damaged_aside(folder: Path) -> str | None:
    """Mark a damaged head as unfinished; keep its weights as ``.damaged``.

    Returns:
        The damage, as :func:`what_is_damaged` describes it.
    """
    found = what_is_damaged(folder)
    if found:
        if (folder / WEIGHTS).is_file():
            set_aside(folder / WEIGHTS)
        (folder / SUMMARY).unlink()
    return found


def what_it_learned_from_has_changed(workspace: Workspace, folder: Path) -> str | None:
    """Return the training split of a head if its clips have changed.

    They change when the split is prepared again with other clips or labels.

    Returns:
        Dataset and split. None if the clips are the same, if that cannot be determined any more, or if the method
        learns nothing.
    """
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        dataset, split, then = config["source"]["dataset"], config["source"]["split"], config["inputs"]["clips"]
        learns = config["recipe"] is not None
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):  # a damaged file may hold anything
        return None
    try:
        changed = learns and clips_footer(workspace, dataset, split).digest != then
    except (FileNotFoundError, InputError):
        return None
    return f"{dataset} {split}" if changed else None
