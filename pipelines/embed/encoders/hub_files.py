"""Find an encoder's files on the hub.

The local cache comes first, then the network, unless it is off.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

from data_manifests.errors import MissingUpstream
from pipelines.engine.hub import first_on_hub, in_words


def hub_file(
    repository: str, names: Sequence[str], what: str, *, offline: bool, file_form: str = "FAMILY:MODEL=FILE"
) -> Path:
    """Find or download a file of a Hugging Face repository.

    Args:
        repository: 'owner/name'.
        names: file names in order of preference.
        what: the model spec, for messages.
        offline: look in the cache only.
        file_form: the spec that loads the same from a file, for messages.

    Raises:
        MissingUpstream: the file is not cached, and the network is off or the download failed.
    """
    for name in names:
        cached = try_to_load_from_cache(repository, name)
        if isinstance(cached, str):
            return Path(cached)
    where = f"its weights ({' or '.join(names)} of {repository}) are not in {constants.HF_HUB_CACHE}"
    folder = f"models--{repository.replace('/', '--')}"
    then = (
        f"On a machine with network run: xmic fetch {shlex.quote(what)}; then copy {folder} from its cache into "
        f"{constants.HF_HUB_CACHE} here, or name the file: {file_form}."
    )
    if offline:
        raise MissingUpstream(f"{what}: {where}, and --offline forbids the network. {then}")
    try:
        return Path(hf_hub_download(repository, first_on_hub(repository, names)))
    except Exception as error:  # the hub's client raises a dozen kinds
        raise MissingUpstream(f"{what}: {where} and could not be fetched ({in_words(error)}). {then}") from error
