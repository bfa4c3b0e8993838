"""The versions that ``.ci/pythons`` tries: the oldest ones, the pinned ones, and what was tried of them."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALL = ("oldest", "3.11", "3.12", "3.13")
TRIED = ROOT / ".ci" / "pythons-tried"
OF_TORCH = re.compile(r"nvidia-|cuda-|triton$")
"""PyTorch pins these itself, and other ones on another system."""


def oldest() -> str:
    """Return constraints that allow the first version of each range only."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    ranges = [re.fullmatch(r"([\w.-]+)>=([\w.]+),<[\w.]+", text) for text in stated]
    if None in ranges:
        raise SystemExit(f"pyproject.toml: {stated[ranges.index(None)]}: expected NAME>=OLDEST,<FIRST-UNTRIED")
    return "".join(f"{found[1]}=={found[2]}\n" for found in ranges if found)


def pinned(frozen: list[Path]) -> str:
    """Join ``pip freeze`` of several Pythons, each in a file named for its version, into one list of constraints."""
    versions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in frozen:
        for line in file.read_text().splitlines():
            name, _, version = line.partition("==")
            if version and not OF_TORCH.match(name.lower()):
                versions[name.lower().replace("_", "-")][version.partition("+")[0]].append(file.name)
    lines = []
    for name, found in sorted(versions.items()):
        for version, of in found.items():
            marker = " or ".join(f'python_version == "{python}"' for python in of)
            lines.append(f"{name}=={version}" + (f" ; {marker}" if len(found) > 1 else ""))
    return "\n".join(lines) + "\n"


def digest() -> str:
    """Return a hash of everything that decides which versions are installed."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = stated["project"]
    # Other extras are not what the README's commands install.
    asked = [stated["build-system"], project["requires-python"], project["dependencies"]]
    asked += [project["optional-dependencies"]["test"], (ROOT / "constraints.txt").read_text()]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _tried() -> dict[str, str]:
    lines = TRIED.read_text().splitlines() if TRIED.is_file() else []
    return {line.partition(" ")[0]: line for line in lines}


def _plain(requirement: str) -> str:
    return requirement.partition("==")[0].lower().replace("_", "-")


def untried() -> str:
    """Return the names of what was not tried with the present versions."""
    found = _tried()
    return " ".join(name for name in ALL if f" {digest()} " not in found.get(name, ""))


def record(name: str, frozen: Path) -> None:
    """Write down that ``name`` passed, with the versions of what ``pyproject.toml`` names."""
    names = {_plain(line) for line in oldest().splitlines()}
    versions = [line for line in frozen.read_text().splitlines() if _plain(line) in names]
    lines = _tried() | {name: f"{name} {digest()} {' '.join(versions)}"}
    TRIED.write_text("".join(f"{lines[each]}\n" for each in ALL if each in lines))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["oldest"]:
            print(oldest(), end="")
        case ["pinned", *files]:
            print(pinned([Path(file) for file in files]), end="")
        case ["untried"]:
            print(untried())
        case ["record", name, frozen]:
            record(name, Path(frozen))
        case other:
            raise SystemExit(f"{other}: expected oldest, pinned FILE…, untried, or record NAME FILE")
