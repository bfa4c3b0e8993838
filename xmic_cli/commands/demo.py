"""``xmic demo``: the whole chain on a small drawn world."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from xmic_cli import console
from xmic_cli.options import Device, Json, Workers, machine_of
from xmic_cli.report_tables import difference_rows
from xmic_cli.signals import saving_signals

_COLUMNS = [f"{label} {kind}" for label in ("noun", "verb") for kind in ("within", "cross", "hm")]
_NEXT = (
    "xmic prepare epic --annotations epic-kitchens-100-annotations --videos EPIC-KITCHENS --check",
    "xmic decode epic && xmic detect-hands epic --detector epic-100doh --boxes EPIC-KITCHENS && "
    "xmic embed epic --encoder open_clip:ViT-B-16/openai",
    "xmic train epic && xmic evaluate && xmic report",
)


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")] = Path("xmic-demo"),
    small: Annotated[bool, typer.Option("--small", help="40 clips per dataset instead of 350.")] = False,
    workers: Workers = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Draw a small first-person world and run every stage on it.

    Nothing is downloaded: the encoder comes with xmic. The clips are written as EPIC-KITCHENS-100 and as Ego4D, and
    read as those are. Zero-shot CLIP and X-MIC are evaluated within each dataset and on the other one. Run it again
    after a stop: what is done is skipped.
    """
    from pocket_kitchens.demo import run_demo

    result = run_demo(
        folder, "small" if small else "demo", machine_of(workers, device, True), console.progress(), saving_signals
    )
    report = result.chain.report
    if json:
        console.emit({**vars(result), "made": result.made}, True)
        return
    rows = [[row["method"], row["source"], *(_cell(row, column) for column in _COLUMNS)] for row in report["rows"]]
    console.table("top-1 in percent (95 % interval over recordings)", ["method", "trained on", *_COLUMNS], rows)
    console.table(
        "difference from zero-shot on the same clips, in points (95 % interval)",
        ["method", "trained on", "tested on", "nouns", "verbs"],
        difference_rows([line for line in report["headlines"] if not line["control"]]),
    )
    for line in _lines(vars(result), folder):
        console.note(line)


def _lines(result: dict[str, Any], folder: Path) -> list[str]:
    world, report = result["world"], result["chain"].report
    lines = [
        f"{name}: {count['train']} training and {count['test']} test clips; the noun alone gives the verb of "
        f"{world.noun_predicts_verb[name]:.0f} % of the test clips"
        for name, count in world.clips.items()
    ]
    lines.append(
        "The clips are drawn, and the packaged hand model has seen such hands: this says nothing of real video."
    )
    lines.append(f"the same again, step by step: xmic run {shlex.quote(str(folder / 'xmic.toml'))}")
    lines += ["With real data (docs/data.md has every dataset):", *(f"  {command}" for command in _NEXT)]
    video, workspace = (shlex.quote(str(path)) for path in (result["predicted"], folder / "work"))
    predict = f"xmic predict {video} --run {result['predictor']} --window 3 --annotate annotated -w {workspace}"
    return [
        *lines,
        f"Look next at the page, which also shows a prediction: {report['html']}",
        f"Predict yourself: {predict}",
    ]


def _cell(row: dict[str, Any], column: str) -> str:
    if row[column] is None:
        return "–"
    if row[f"{column} interval"] is None:
        return f"{row[column]:.1f}"
    low, high = row[f"{column} interval"]
    return f"{row[column]:.1f} ({low:.0f}–{high:.0f})"
