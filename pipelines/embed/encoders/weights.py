"""Finding weights: in the local caches first, then, unless offline, on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

from data_manifests.errors import MissingUpstream


def hub_file(repository: str, names: Sequence[str], what: str, *, offline: bool) -> Path:
    """A weights file of a Hugging Face repository.

    Args:
        repository: 'owner/name'.
        names: file names in order of preference.
        what: the model spec, for messages.
        offline: look in the cache only.

    Raises:
        MissingUpstream: it is not cached, and the network is off or the download failed.
    """
    for name in names:
        cached = try_to_load_from_cache(repository, name)
        if isinstance(cached, str):
            return Path(cached)
    fetch = f"huggingface-cli download {repository} {names[0]}"
    if offline:
        raise MissingUpstream(
            f"{what}: its weights ({repository}) are not in {constants.HF_HUB_CACHE}, and --offline forbids fetching them. "
            f"On a machine with network run: {fetch}; then copy that cache here, or name a file: FAMILY:MODEL=FILE."
        )
    problem: Exception | None = None
    for name in names:
        try:
            return Path(hf_hub_download(repository, name))
        except Exception as error:  # the hub's client raises a dozen kinds; each means the next name or none
            problem = error
    raise MissingUpstream(
        f"{what}: its weights ({repository}) are not in {constants.HF_HUB_CACHE} and could not be fetched ({problem}). "
        f"On a machine with network run: {fetch}; then copy that cache here, or name a file: FAMILY:MODEL=FILE."
    )
