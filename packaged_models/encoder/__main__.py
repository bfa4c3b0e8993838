"""``python -m packaged_models.encoder``: train and measure the packaged encoder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.engine.options import LARGEST_SEED
from xmic_cli import console
from xmic_cli.app import make_app, run_app
from xmic_cli.options import Device, Json, Offline, Workers, machine_of

app = make_app("The pocket encoder that comes with xmic: how it was trained, and its zero-shot accuracy.")


@app.command("train")
def train(
    work: Annotated[Path, typer.Argument(help="Where drawings, checkpoint and log are kept (1.7 GB).")],
    into: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("pocket-encoder"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of weights, pictures and captions.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of 256 pictures.")] = 2400,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Train the pocket encoder again, on drawn third-person pictures only.

    The packaged encoder was trained in the same way. Run the command again after a stop: it goes on from its
    checkpoint.
    Its weights are used with --encoder open_clip:INTO/pocket.json=INTO/pocket.safetensors.
    """
    from packaged_models.encoder.train import Training, train_encoder

    count = machine_of(workers, "cpu", offline=True).workers
    made = train_encoder(work, Training(seed=seed, steps=steps), into, count, console.progress())
    console.emit(made, json, [f"{made['file']}: {made['pictures']} pictures, sha256 {made['sha256']}"])


@app.command("measure")
def measure(
    encoder: Annotated[str, typer.Option(help="Any encoder with a text tower.")] = "pocket",
    clips: Annotated[int, typer.Option(min=1, help="Clips of each domain, and pictures of each kind.")] = 500,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of pictures and clips.")] = 7_000,
    device: Device = "auto",
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Measure the zero-shot accuracy of an encoder on drawn pictures.

    The pictures are third-person pictures, first-person clips and true hand crops.
    """
    from packaged_models.encoder.measure import measure_encoder
    from pipelines.embed.encoders import load_encoder

    where = machine_of(None, device, offline).resolve_device()
    loaded = load_encoder(encoder, precision="fp32", batch_size=32, device=where, offline=offline)
    rows = measure_encoder(loaded, seed, clips, console.progress())
    lines = [
        f"{row['domain']:6} {row['pictures']:15} {row['count']:5} of {row['classes']} nouns: {row['noun']:5.1f} %"
        + ("" if row["verb"] is None else f"   verbs: {row['verb']:5.1f} %")
        for row in rows
    ]
    console.emit({"encoder": encoder, "seed": seed, "rows": rows}, json, lines)


if __name__ == "__main__":
    sys.exit(run_app(app, "python -m packaged_models.encoder"))
