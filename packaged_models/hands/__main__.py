"""``python -m packaged_models.hands``: train and calibrate the packaged hand model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.engine.options import LARGEST_SEED
from xmic_cli import console
from xmic_cli.app import make_app, run_app
from xmic_cli.commands.hands import Into, percent, trained_line
from xmic_cli.options import Json, Workers, machine_of

app = make_app("The hand model that comes with xmic: how it was trained, and its threshold and crop margin.")


@app.command("train")
def train(
    work: Annotated[Path, typer.Argument(help="Where the hand, drawings and checkpoint are kept (0.5 GB).")],
    into: Into = Path("hand-model"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of pictures, weights and batches.")] = 0,
    budget: Annotated[int, typer.Option(min=1, help="Pictures to look at, counted as often as it does.")] = 150_000,
    pictures: Annotated[int, typer.Option(min=1, help="How many different ones to draw.")] = 20_000,
    photographs: Annotated[
        Path | None,
        typer.Option(help="Folder of photographs without hands (.jpg, .png, .webp), put behind and between them."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="A model that this command made, to train on. (default: random weights)"),
    ] = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Train the packaged hand model again, on drawn hands only.

    The model starts from random weights. The hand that is drawn is fetched with npm. With photographs, half of the
    pictures
    show some of them: those with transparent pixels are things that lie about, the others are what is behind them. Run
    the
    command again after a stop: it goes on from its checkpoint.
    """
    from packaged_models.hands.train import train_packaged

    count = machine_of(workers, "cpu", offline=True).workers
    made = train_packaged(work, into, seed, budget, pictures, photographs, start, count, console.progress())
    console.emit(made, json, [f"{trained_line(made)}; {made['sha256']}"])


@app.command("calibrate")
def calibrate_model(
    work: Annotated[Path, typer.Argument(help="The folder of the training.")],
    weights: Annotated[Path | None, typer.Option(help="The model. (default: the one that comes with xmic)")] = None,
    into: Annotated[Path | None, typer.Option(help="The curves. (default: beside the model, .json)")] = None,
    pictures: Annotated[int, typer.Option(min=1, help="How many to draw.")] = 1_000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the pictures; not one that was trained on.")
    ] = 9_000,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Find the threshold and the crop margin that fit a model.

    They are measured on drawn pictures that the model was not trained on.
    """
    from packaged_models.hands.calibrate import calibrate
    from packaged_models.hands.drawing.mesh import fetch_mesh
    from packaged_models.hands.pictures import A_FILE, DrawnPictures
    from pipelines.hands.detector import load_detector
    from pipelines.hands.model_file import find_weights

    file = find_weights(weights, offline=True)
    detector = load_detector("yolo", weights=file)
    drawn = DrawnPictures(work, fetch_mesh(work), seed, -(-pictures // A_FILE))
    drawn.draw(machine_of(workers, "cpu", offline=True).workers, console.progress())
    found = calibrate(detector, drawn, into or file.with_suffix(".json"), console.progress())
    ap50 = ", ".join(f"{name} {percent(value)}" for name, value in found["ap50"].items())
    lines = [f"threshold {found['threshold']:.2f}, margin {found['margin']}; AP50: {ap50}"]
    console.emit(found, json, lines)


if __name__ == "__main__":
    sys.exit(run_app(app, "python -m packaged_models.hands"))
