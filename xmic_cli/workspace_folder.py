"""Choose the workspace folder of a command.

Nothing heavy is imported: ``xmic doctor`` asks too, where a dependency may be broken.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer

from data_manifests.errors import InputError
from data_manifests.remote.path import refuse_remote_workspace
from xmic_cli import console

CONFIG = Path("xmic.toml")
"""Configuration file in the current folder."""

DEFAULT = "xmic-work"


def named_workspace(context: typer.Context, given: Path | None) -> Path | None:
    """Return the folder that the command line or XMIC_WORKSPACE names.

    An option after the command comes first, then one before it, then the variable. None where none names a folder.
    """
    before: Path | None = context.find_root().params.get("workspace")
    variable = os.environ.get("XMIC_WORKSPACE")
    named = given or before or (Path(variable) if variable else None)
    if named is not None:
        refuse_remote_workspace(named)
    return named


def workspace_folder(context: typer.Context, given: Path | None) -> Path:
    """Return the workspace folder of a command.

    It is the named one, else that of ./xmic.toml, else ./xmic-work. A note says when it is that of the file.

    Raises:
        InputError: ./xmic.toml is read and is not TOML, or its workspace is not a text.
    """
    named = named_workspace(context, given)
    if named is not None:
        return named
    if not CONFIG.is_file():
        return Path(DEFAULT)
    found = configured_workspace(CONFIG)
    console.note(f"workspace {found}, by {CONFIG}")
    return found


def configured_workspace(file: Path) -> Path:
    """Read the workspace folder that a configuration file names.

    A relative folder is relative to the file.

    Raises:
        InputError: the file is not TOML, or its workspace is not a text.
    """
    import tomllib

    other = "Mend it, or name the workspace with -w."
    try:
        value = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("workspace", DEFAULT)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not valid TOML ({error}), so it names no workspace. {other}") from None
    if not isinstance(value, str):
        raise InputError(f"{file}: workspace is {value!r}; expected the name of a folder. {other}")
    refuse_remote_workspace(value)
    return file.parent / value
