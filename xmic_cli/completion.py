"""Complete values on the command line, without heavy imports.

Names are read from folders of the workspace that the command would use. A completion never fails: what cannot be read
completes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

PRESETS = ("official", "xmic-code", "paper", "recommended")
ENCODERS = ("pocket", "open_clip:", "timm:", "lavila:")
DETECTORS = ("yolo", "mediapipe", "epic-100doh", "boxes")
SPLITS = ("train", "val", "test")
"""Copies of names whose modules are slow to import; a test compares them."""


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a run; ``latest`` is the newest."""
    return _starting(_folders(_workspace(context) / "runs"), incomplete)


def complete_datasets(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a prepared dataset."""
    return _starting(_folders(_workspace(context) / "manifests"), incomplete)


def complete_methods(incomplete: str) -> list[str]:
    """Complete the name of a method."""
    from pipelines.methods import METHODS

    return _starting(METHODS, incomplete)


COMPLETERS: dict[str, Callable[..., list[str]]] = {
    "datasets": complete_datasets,
    "runs": complete_runs,
    "methods": complete_methods,
    "presets": lambda incomplete: _starting(PRESETS, incomplete),
    "encoders": lambda incomplete: _starting(ENCODERS, incomplete),
    "detectors": lambda incomplete: _starting(DETECTORS, incomplete),
    "splits": lambda incomplete: _starting(SPLITS, incomplete),
}
"""Kind of names (:class:`pipelines.engine.options.Completes`) → what completes them."""


def _workspace(context: typer.Context) -> Path:
    from xmic_cli.workspace_folder import CONFIG, DEFAULT, configured_workspace, named_workspace

    try:
        named = named_workspace(context, context.params.get("workspace"))
        return named or (configured_workspace(CONFIG) if CONFIG.is_file() else Path(DEFAULT))
    except Exception:  # a message would be printed into the user's command line
        return Path(DEFAULT)


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
