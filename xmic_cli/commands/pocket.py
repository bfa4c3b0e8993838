"""``xmic pocket``: the small drawn world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmic_cli import console
from xmic_cli.options import LARGEST_SEED, Device, Json, Offline, Workers, machine_of

app = typer.Typer(no_args_is_help=True, help="Pocket Kitchens: a small drawn world, written as the real datasets are.")


@app.command("build")
def build(
    folder: Annotated[Path, typer.Argument(help="Where to.")] = Path("pocket"),
    size: Annotated[
        str, typer.Option(help="small: 40 clips a domain; demo: 100; medium: 1,750; full: 7,000.")
    ] = "demo",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Which world.")] = 0,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Render one domain as EPIC-KITCHENS-100 and the other as Ego4D, with the true hand boxes of both.

    Run it again after a stop: videos that are there are kept. xmic prepare epic and xmic prepare ego4d read them.
    """
    from pipelines.pocket.build import build_world

    count = machine_of(workers, "cpu", offline=True).workers
    built = build_world(folder, size, seed, count, console.progress())
    lines = [
        f"{name}: {clips['train']} training and {clips['test']} test clips in {built.videos[name]} videos; "
        f"the noun alone gives the verb of {built.noun_predicts_verb[name]:.1f} % of the test clips"
        for name, clips in built.clips.items()
    ]
    if not built.made:
        lines.append("nothing to render: every video was there")
    console.emit(vars(built), json, lines)


@app.command("train-encoder")
def train_encoder(
    work: Annotated[Path, typer.Argument(help="Where drawings, checkpoint and log are kept (1.7 GB).")],
    into: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("pocket-encoder"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of weights, pictures and captions.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of 256 pictures.")] = 2400,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Train the pocket encoder anew, as the packaged one was: on drawn third-person pictures only.

    Run it again after a stop: it goes on from its checkpoint. Its weights are used with
    --encoder open_clip:INTO/pocket.json=INTO/pocket.safetensors.
    """
    from pipelines.pocket.pretraining.train import Training
    from pipelines.pocket.pretraining.train import train_encoder as train

    count = machine_of(workers, "cpu", offline=True).workers
    made = train(work, Training(seed=seed, steps=steps), into, count, console.progress())
    console.emit(made, json, [f"{made['file']}: {made['pictures']} pictures, sha256 {made['sha256']}"])


@app.command("measure-encoder")
def measure_encoder(
    encoder: Annotated[str, typer.Option(help="Any encoder with a text tower.")] = "pocket",
    clips: Annotated[int, typer.Option(min=1, help="Clips of each domain, and pictures of each kind.")] = 500,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of pictures and clips.")] = 7_000,
    device: Device = "auto",
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Zero-shot accuracy of an encoder on third-person pictures, on first-person clips and on true hand crops."""
    from pipelines.embed.encoders import load_encoder
    from pipelines.pocket.pretraining.measure import measure_encoder as measure

    where = machine_of(None, device, offline).resolve_device()
    loaded = load_encoder(encoder, precision="fp32", batch_size=32, device=where, offline=offline)
    rows = measure(loaded, seed, clips, console.progress())
    lines = [
        f"{row['domain']:6} {row['pictures']:15} {row['count']:5} of {row['classes']} nouns: {row['noun']:5.1f} %"
        + ("" if row["verb"] is None else f"   verbs: {row['verb']:5.1f} %")
        for row in rows
    ]
    console.emit({"encoder": encoder, "seed": seed, "rows": rows}, json, lines)
