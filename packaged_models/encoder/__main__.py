"""``python -m packaged_models.encoder``: train and measure the packaged encoder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from packaged_models.encoder.sample import BATCH, CLIPS, SEEDS
from pipelines.engine.options import LARGEST_SEED
from xmic_cli import console
from xmic_cli.app import make_app, run_app
from xmic_cli.options import Device, Json, Offline, Workers, machine_of

app = make_app("The pocket encoder that comes with xmic: how it was trained, and its zero-shot accuracy.")

_SEEDS = ", ".join(map(str, SEEDS))


@app.command("train")
def train(
    work: Annotated[Path, typer.Argument(help="Where drawings, checkpoint and log are kept (1.7 GB).")],
    into: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("pocket-encoder"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of weights, pictures and captions.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of 256 pictures.")] = 2400,
    allow_uninformative: Annotated[
        bool, typer.Option("--allow-uninformative", help="Package weights that fail the check, with a warning.")
    ] = False,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Train the pocket encoder again, on drawn third-person pictures only.

    The packaged encoder was trained in the same way. Run the command again after a stop: it goes on from its
    checkpoint. Before the weights go to INTO, they are measured as by the command measure. Weights whose zero-shot is
    not informative for every label are refused.
    They are used with --encoder open_clip:INTO/pocket.json=INTO/pocket.safetensors.
    """
    from packaged_models.encoder.package import package_encoder
    from packaged_models.encoder.train import Training, train_encoder

    count, trained = machine_of(workers, "cpu", offline=True).workers, work / "trained"
    made = train_encoder(work, Training(seed=seed, steps=steps), trained, count, console.progress())
    package_encoder(trained, into, console.progress(), allow_uninformative=allow_uninformative)
    made["file"] = str(into / Path(made["file"]).name)
    console.emit(made, json, [f"{made['file']}: {made['pictures']} pictures, sha256 {made['sha256']}"])


@app.command("measure")
def measure(
    encoder: Annotated[str, typer.Option(help="Any encoder with a text tower.")] = "pocket",
    clips: Annotated[int, typer.Option(min=1, help="Clips per domain and seed, and pictures of each kind.")] = CLIPS,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, max=LARGEST_SEED, help=f"Of pictures and clips; repeatable. (default: {_SEEDS})"),
    ] = None,
    device: Device = "auto",
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Measure the zero-shot accuracy and loss of an encoder on drawn pictures.

    The pictures are third-person pictures, first-person clips and true hand crops. A label of a domain is informative
    if the loss at the best temperature is below ln C by more than its interval, on full frames and on hand crops.
    """
    from packaged_models.encoder.measure import COLUMNS, measure_encoder, verdict
    from pipelines.embed.encoders import describe_encoder, load_encoder

    where = machine_of(None, device, offline).resolve_device()
    options = {"precision": "fp32", "batch_size": BATCH, "device": where, "offline": offline}
    loaded = load_encoder(encoder, **options)
    measured = measure_encoder(loaded, seed or SEEDS, clips, console.progress())
    if json:
        console.emit(measured.plain(describe_encoder(encoder, **options).slug), json)
    else:
        console.table(f"zero-shot of {encoder}", COLUMNS, [row.cells() for row in measured.rows])
        for (domain, label), good in measured.informative().items():
            console.print_text(f"{domain} {label}s: {verdict(good)}\n")
    if measured.too_few():
        console.note("The intervals are too narrow to trust: name more --clips or seeds.")


if __name__ == "__main__":
    sys.exit(run_app(app, "python -m packaged_models.encoder"))
