"""Check names that become folders of a workspace.

Runs, exported folders and tables come from other people. A name in them must not lead out of the workspace.
"""

from __future__ import annotations

from typing import Any

from data_manifests.errors import InputError

EXPECTED = "a name that can be a folder, without '/'"

_LONGEST = 255
"""Bytes of a name that every file system takes."""


def is_folder_name(value: Any) -> bool:
    """Check that a value is one part of a path.

    A user chooses names of datasets, so a name may have spaces and letters of any script.
    """
    if not isinstance(value, str) or value in ("", ".", "..") or any(one in value for one in "/\\\0"):
        return False
    try:
        return len(value.encode()) <= _LONGEST
    except UnicodeEncodeError:  # half of a character, as JSON can write it
        return False


def require_folder_names(*names: str) -> None:
    """Refuse names that would lead to another folder.

    Raises:
        InputError: a name is not one part of a path; an empty one stands for no part.
    """
    for name in names:
        if name and not is_folder_name(name):
            raise InputError(f"{name!r}: expected {EXPECTED}. Whoever wrote this name may mean to write elsewhere.")
