"""Check trained weights and package them with the numbers of the check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from data_manifests.errors import InputError
from packaged_models.encoder.measure import measure_encoder
from packaged_models.encoder.sample import BATCH, CLIPS, SEEDS
from pipelines.embed.encoders import describe_encoder, load_encoder
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.progress import Progress

CHECK = "pocket.zero-shot.json"
"""Name of the file with the numbers of the check."""


def package_encoder(trained: Path, into: Path, progress: Progress, *, allow_uninformative: bool) -> None:
    """Check trained weights and copy them to where they are used.

    The numbers of the check lie beside the weights, in :data:`CHECK`.

    Args:
        trained: folder that :func:`packaged_models.encoder.train.train_encoder` wrote.
        into: folder of the packaged files.
        progress: updated with each clip of the check.
        allow_uninformative: warn where the check would refuse.

    Raises:
        InputError: zero-shot is not informative for every domain and label. Nothing is written into ``into``.
    """
    weights = trained / "pocket.safetensors"
    spec = f"open_clip:{trained / 'pocket.json'}={weights}"
    options = {"precision": "fp32", "batch_size": BATCH, "device": "cpu", "offline": True}
    measured = measure_encoder(load_encoder(spec, **options), SEEDS, CLIPS, progress)
    content = json.dumps(measured.plain(describe_encoder(spec, **options).slug), indent=2) + "\n"
    with replace_atomically(trained / CHECK) as temporary:
        temporary.write_text(content, "utf-8")
    failed = [f"{domain} {label}s" for (domain, label), good in measured.informative().items() if not good]
    problem = (
        f"{weights}: zero-shot is not informative for {', '.join(failed)}; expected a loss below ln C by more than its "
        f"interval for every label, on full frames and on hand crops. The numbers are in {trained / CHECK}."
    )
    if failed and not allow_uninformative:
        raise InputError(
            f"{problem} Nothing was packaged. Train another encoder in another folder, or run the same command with "
            "--allow-uninformative."
        )
    if failed:
        progress.note(f"warning: {problem}")
    for name in ("pocket.json", "pocket.words.json", CHECK, "pocket.safetensors"):
        with replace_atomically(into / name) as temporary:
            shutil.copyfile(trained / name, temporary)
