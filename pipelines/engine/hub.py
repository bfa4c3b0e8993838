"""Read from the Hugging Face hub: addresses, single files and folders.

The hub's own client and cache are used. A hub that cannot be reached is reported after two attempts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_manifests.errors import InputError, MissingUpstream, UsageError

PREFIX = "hf://"
_NAME = r"[A-Za-z0-9][\w.-]*"
_BETWEEN_ATTEMPTS_S = 1.0


@dataclass(frozen=True)
class HubAddress:
    """Address of a repository on the hub: 'hf://owner/repo', with '@revision' or without."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")


def is_address(text: str) -> bool:
    """Tell a hub address from a name or path."""
    return text.startswith(PREFIX)


def parse_address(text: str) -> HubAddress:
    """Parse a hub address.

    Raises:
        UsageError: the text has another form.
    """
    repository, at, revision = text.removeprefix(PREFIX).partition("@")
    if not is_address(text) or not is_repository(repository) or bool(at) != bool(revision):
        raise UsageError(f"{text}: expected {PREFIX}owner/repo or {PREFIX}owner/repo@revision")
    return HubAddress(repository, revision or None)


def is_repository(text: str) -> bool:
    """Return whether a text has the form owner/repo."""
    return re.fullmatch(f"{_NAME}/{_NAME}", text) is not None


def first_on_hub(repository: str, names: Sequence[str], revision: str | None = None) -> str:
    """Return the first of some file names that a repository has.

    Raises:
        Exception: what the hub's client raises; :func:`in_words` describes it.
    """
    from huggingface_hub.utils import EntryNotFoundError

    *before, last = names
    for name in before:
        try:
            _ask_for(repository, name, revision)
        except EntryNotFoundError:
            continue
        return name
    _ask_for(repository, last, revision)
    return last


def _ask_for(repository: str, name: str, revision: str | None) -> None:
    """Ask whether a file is there, once more where there was no answer.

    A download by the client asks six times, which takes 24 seconds for each file without network.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import EntryNotFoundError, HfHubHTTPError

    url = hf_hub_url(repository, name, revision=revision)
    try:
        get_hf_file_metadata(url)
    except (EntryNotFoundError, HfHubHTTPError):
        raise
    except Exception:  # the kinds of network errors differ between the client's versions
        time.sleep(_BETWEEN_ATTEMPTS_S)
        get_hf_file_metadata(url)


def in_words(error: Exception) -> str:
    """Describe an error of the hub's client and what helps."""
    from huggingface_hub import constants
    from huggingface_hub.utils import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    log_in = "set HF_TOKEN or run hf auth login"
    if isinstance(error, GatedRepoError):
        return f"the repository is gated: accept its terms on {constants.ENDPOINT}, then {log_in}"
    if isinstance(error, RepositoryNotFoundError):
        return f"no such repository, or a private one: check the name, or {log_in}"
    if isinstance(error, RevisionNotFoundError):
        return "no such revision"
    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return "no such file in the repository"
    first = " ".join(str(error).split())[:200]
    if isinstance(error, HfHubHTTPError):
        return f"{constants.ENDPOINT} refused: {first}"
    return f"{constants.ENDPOINT} cannot be reached: {first}"


def folder_on_hub(
    address: HubAddress, index: str, patterns: Sequence[str], *, offline: bool, newest: bool = False
) -> Path:
    """Find or download the files of a repository.

    Args:
        address: the repository.
        index: a file that it must have.
        patterns: the files, as patterns; no other file is downloaded.
        offline: look in the cache only.
        newest: ask the hub even if the cache has the files.

    Returns:
        The folder in the hub's cache.

    Raises:
        MissingUpstream: the files are not cached, and the network is off or the download failed.
        InputError: the repository lacks the index.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils import EntryNotFoundError, LocalEntryNotFoundError

    if offline or not newest:
        try:
            cached = Path(
                snapshot_download(
                    address.repository,
                    revision=address.revision,
                    allow_patterns=[*patterns],
                    local_files_only=True,
                )
            )
        except LocalEntryNotFoundError:
            cached = None
        if cached is not None and (cached / index).is_file():
            return cached
    if offline:
        raise MissingUpstream(
            f"{address}: it is not in {constants.HF_HUB_CACHE}, and --offline forbids the network. On a machine with "
            f"network run: xmic fetch {address}; then copy models--{address.repository.replace('/', '--')} from its "
            f"cache into {constants.HF_HUB_CACHE} here."
        )
    try:
        first_on_hub(address.repository, [index], address.revision)
        return Path(snapshot_download(address.repository, revision=address.revision, allow_patterns=[*patterns]))
    except Exception as error:  # the client raises a dozen kinds
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise InputError(
                f"{address}: the repository has no {index}, so it is no run that xmic export wrote. Check the address."
            ) from None
        raise MissingUpstream(f"{address}: could not be fetched ({in_words(error)}).") from None
