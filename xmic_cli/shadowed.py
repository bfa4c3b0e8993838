"""Find packages of other programs that shadow ours.

Such a package has the name of ours and comes before it on Python's path. Only light parts of the standard library are
imported here, and no package of ours: it may be the other one.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

_OURS = Path(__file__).resolve().parents[1]
_NAMES = ("data_manifests", "pipelines", "pocket_kitchens", "packaged_models")


def shadowing() -> str | None:
    """Explain which package shadows one of ours, and what to do.

    Returns:
        One line; None where nothing shadows a package of ours.
    """
    for name in _NAMES:
        ours = _OURS / name / "__init__.py"
        spec = find_spec(name) if ours.is_file() else None
        places = [] if spec is None else [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
        if not places or Path(places[0]).resolve() == ours:
            continue
        found = Path(places[0]).resolve()
        found = found.parent if found.name == "__init__.py" else found
        return f"{found} is found in place of xmic's own package {name} ({ours.parent}). {_what_to_do(found)}"
    return None


def _what_to_do(found: Path) -> str:
    folder = found.parent
    if folder == Path.cwd():
        return "It lies in the current folder: run xmic from another folder, or rename it."
    named = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if folder in (Path(entry).resolve() for entry in named):
        return "Its folder is named in PYTHONPATH: take it out there, or rename it."
    return "Install xmic into an environment of its own, or rename it."
