"""Write and check ``xmic.json``, the list of files of an exported folder."""

from __future__ import annotations

import json
from pathlib import Path

from data_manifests.errors import InputError
from pipelines.engine.digest import whole_file_sha256

CARD, CLASSES, INDEX = "README.md", "classes.json", "xmic.json"
FORMAT = 1
EXPORTED = (INDEX, CARD, "*/config.json", "*/weights.safetensors", "*/summary.json", f"*/{CLASSES}")
"""Files of an exported run, as patterns."""


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


def check_export(folder: Path) -> None:
    """Check the files of an exported folder against its index.

    A folder without an index passes. The model card is not checked.

    Raises:
        InputError: a file is missing or is not what was exported, or the folder is of a later xmic.
    """
    if not (folder / INDEX).is_file():
        return
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{folder / INDEX}: damaged ({error}). Copy or download the folder again.") from None
    if index["format"] != FORMAT:
        raise InputError(f"{folder / INDEX}: format {index['format']}, this xmic reads {FORMAT}. Update xmic.")
    for name, sha256 in index["files"].items():
        path = folder / name
        if name == CARD:  # people edit their cards
            continue
        if not path.is_file() or whole_file_sha256(path) != sha256:
            what = "is not what was exported" if path.is_file() else "is missing"
            raise InputError(f"{path}: {what} (expected sha256 {sha256[:12]}…). Copy or download the folder again.")
