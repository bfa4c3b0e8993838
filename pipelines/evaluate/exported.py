"""Write and check ``xmic.json``, the list of files of an exported folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError
from data_manifests.schema import LABELS
from pipelines.engine.digest import whole_file_sha256
from pipelines.engine.folder_names import is_folder_name
from pipelines.train.finished import CONFIG, SUMMARY, WEIGHTS

CARD, CLASSES, INDEX = "README.md", "classes.json", "xmic.json"
FORMAT = 1
EXPORTED = (INDEX, CARD, "*/config.json", "*/weights.safetensors", "*/summary.json", f"*/{CLASSES}")
"""Files of an exported run, as patterns."""
_READ = (INDEX, *(f"{label}/{name}" for label in LABELS for name in (CONFIG, SUMMARY, WEIGHTS, CLASSES)))
"""Files of a run that are read."""


def write_index(folder: Path, run: str, key: str) -> dict[str, str]:
    """Write the index of an exported folder.

    Returns:
        name → sha256 of every file in the folder.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {path.relative_to(folder).as_posix(): whole_file_sha256(path) for path in paths}
    index = {"format": FORMAT, "run": run, "key": key, "files": files}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return files


def is_exported(folder: Path) -> bool:
    """Return True if a folder has the index of an exported run."""
    return (folder / INDEX).is_file()


def refuse_links_out(folder: Path) -> None:
    """Refuse a run whose folder has a link out of it.

    In the cache of the hub each file is a link into the folder ``blobs`` of its repository, which is no way out.

    Raises:
        InputError: a file leads out.
    """
    for name in _READ:
        _refuse_outside(folder, name)


def check_export(folder: Path) -> None:
    """Check the files of an exported folder against its index.

    A folder without an index passes. The model card is not checked.

    Raises:
        InputError: a file is missing, leads out or is not what was exported, the index is damaged, or the folder is of
            a later xmic.
    """
    if not is_exported(folder):
        return
    refuse_links_out(folder)
    for name, sha256 in _listed(folder / INDEX).items():
        _refuse_outside(folder, name)
        path = folder / name
        if name == CARD:  # people edit their cards
            continue
        if not path.is_file() or whole_file_sha256(path) != sha256:
            what = "is not what was exported" if path.is_file() else "is missing"
            raise InputError(f"{path}: {what} (expected sha256 {sha256[:12]}…). Copy or download the folder again.")


def exported_names(file: Path) -> list[str]:
    """Read the class names of an exported head.

    They are in the order of the scores.

    Raises:
        InputError: the file is damaged.
    """
    names = _json(file)
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{file}: expected a list of class names. Copy or download the folder again.")
    return names


def _listed(index: Path) -> dict[str, str]:
    """Return the files that an index lists, with their sha256."""
    content = _json(index)
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise InputError(f"{index}: format {found}, this xmic reads {FORMAT}. Update xmic.")
    files = content.get("files") if isinstance(content, dict) else None
    if found != FORMAT or not isinstance(files, dict) or not all(isinstance(one, str) for one in files.values()):
        raise InputError(
            f"{index}: damaged (expected format {FORMAT} and files with their sha256). Copy or download the folder "
            "again."
        )
    for name in files:
        if not all(map(is_folder_name, name.split("/"))):
            raise InputError(f"{index}: lists {name!r}, which is outside the folder. Do not use this folder.")
    return files


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: damaged ({error}). Copy or download the folder again.") from None


def _refuse_outside(folder: Path, name: str) -> None:
    path, home = (folder / name).resolve(), folder.resolve()
    inside = [home, *([home.parents[1] / "blobs"] if home.parent.name == "snapshots" else [])]
    if not any(path.is_relative_to(place) for place in inside):
        raise InputError(f"{folder / name}: is a link to {path}, outside the folder. Do not use this folder.")
