"""Upload an exported run to the Hugging Face hub.

The hub's own client is used, with its token: HF_TOKEN or what ``hf auth login`` saved. A token is never printed.
"""

from __future__ import annotations

import json
from pathlib import Path

from data_manifests.errors import InputError, MissingUpstream, UsageError
from pipelines.engine.hub import PREFIX, in_words, is_repository
from pipelines.evaluate.exported import CARD, INDEX, check_export
from pipelines.evaluate.trained import TrainedRun, read_run


def refuse_push(run: TrainedRun, repository: str) -> None:
    """Refuse what may not be uploaded, before anything is written.

    Raises:
        UsageError: the repository's name has another form, there is no token, or an encoder of the run has random
            weights.
    """
    from huggingface_hub import get_token

    if not is_repository(repository):
        raise UsageError(f"--push {repository}: expected owner/repo")
    random = sorted({str(made["spec"]) for made in run.protocol.vectors.values() if made.get("random_weights")})
    if random:
        raise UsageError(
            f"--push {repository}: {run.config['name']} was trained on {', '.join(random)}, which has random weights: "
            "its answers mean nothing. Train on an encoder with trained weights."
        )
    if get_token() is None:
        raise UsageError(f"--push {repository}: no token of the hub. Set HF_TOKEN, or run hf auth login.")


def push(folder: Path, repository: str, *, private: bool = False) -> str:
    """Upload an exported folder; make its repository if there is none.

    Only the files of the export are uploaded. An upload of the same files again changes nothing.

    Args:
        folder: written by :func:`pipelines.export.folder.export_run`; its card may have been edited.
        repository: 'owner/repo'.
        private: make a new repository private.

    Returns:
        The address of the repository, for a browser.

    Raises:
        UsageError: see :func:`refuse_push`; or the card names no licence.
        InputError: the folder is no export or is damaged, or the hub refuses the card.
        MissingUpstream: the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi

    if not (folder / INDEX).is_file():
        raise InputError(f"{folder}: no {INDEX}, so xmic export did not write it. Export the run first.")
    check_export(folder)
    refuse_push(read_run(folder, own_code=True), repository)
    _refuse_card(folder / CARD, repository)
    index = json.loads((folder / INDEX).read_text("utf-8"))
    api = HfApi(library_name="xmic")
    try:
        made = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=[INDEX, *index["files"]],
            commit_message=f"Upload {index['run']}",
        )
    except ValueError as error:  # the hub's answer to the front matter of the card
        raise InputError(f"{folder / CARD}: the hub refuses it ({' '.join(str(error).split())[:300]}).") from None
    except Exception as error:  # the client raises a dozen kinds
        raise MissingUpstream(
            f"{PREFIX}{repository}: could not be uploaded ({in_words(error)}). Nothing is lost: {folder} is complete. "
            f"Then run xmic export {folder} --push {repository} again."
        ) from None
    return str(made)


def _refuse_card(card: Path, repository: str) -> None:
    """Refuse a card without a licence in its front matter.

    Raises:
        UsageError: there is none, or there is no card.
    """
    from huggingface_hub import ModelCard

    try:
        licence = ModelCard(card.read_text("utf-8")).data.to_dict().get("license")
    except FileNotFoundError:
        licence = None
    if not licence:
        raise UsageError(
            f"--push {repository}: {card} names no licence of the weights. Name one with --license SPDX, such as "
            "--license apache-2.0, or write license: into the first lines of the card."
        )
