"""``xmic methods``: the methods and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from xmic_cli import console
from xmic_cli.completion import complete_methods
from xmic_cli.options import Json

if TYPE_CHECKING:
    from pipelines.methods.describe import Description, Setting


def methods(
    name: Annotated[
        str | None,
        typer.Argument(
            help="One method, or package.module:Class, with all its settings. (default: all)",
            autocompletion=complete_methods,
        ),
    ] = None,
    dim: Annotated[int, typer.Option(min=1, help="D, width of the vectors (512 for ViT-B/16).")] = 512,
    dim_v2: Annotated[
        int | None, typer.Option(min=1, help="D_II, width of the second encoder's vectors. (default: D)")
    ] = None,
    dim_text: Annotated[int, typer.Option(min=1, help="W_t, width inside the text transformer.")] = 512,
    dim_visual: Annotated[int, typer.Option(min=1, help="W_v, width inside the image transformer.")] = 768,
    visual_layers: Annotated[int, typer.Option(min=1, help="Layers of the image transformer.")] = 12,
    json: Json = False,
) -> None:
    """List the methods with their needs, trained parameters and presets.

    Parameters are counted at the given widths of vectors and transformers.
    """
    from pipelines.methods import METHODS
    from pipelines.methods.backbone import Widths
    from pipelines.methods.describe import describe_method

    widths = Widths(dim, dim_v2 or dim, dim_text, dim_visual, visual_layers)
    found = [describe_method(spec, widths) for spec in ([name] if name else METHODS)]
    if json:
        console.emit({"widths": asdict(widths), "methods": [asdict(item) for item in found]}, True)
    elif name:
        _print_one(found[0])
    else:
        rows = [
            [item.name, f"{item.parameters:,}", ", ".join(item.needs), ", ".join(item.presets), item.what]
            for item in found
        ]
        title = f"methods at D {dim}, D_II {widths.dim_v2}, W_t {dim_text}, W_v {dim_visual} in {visual_layers} layers"
        console.table(title, ["method", "trains", "needs", "presets", "what"], rows)


_COLUMNS = ["setting", "default", "values", "meaning", "source of the default"]


def _print_one(item: Description) -> None:
    console.emit(None, False, [f"{item.name}: {item.what}", f"needs {', '.join(item.needs)}"])
    presets = [[name, f"{preset.parameters:,}", preset.source] for name, preset in item.presets.items()]
    console.table("presets", ["preset", "trains", "source"], presets)
    console.table("settings (--set)", _COLUMNS, _rows(item.settings))
    if item.recipe:
        console.table("recipe (--set)", _COLUMNS, _rows(item.recipe))
    differing = [
        [name, key, _text(value), preset.sources[key]]
        for name, preset in item.presets.items()
        for key, value in preset.differs.items()
    ]
    if differing:
        console.table("where a preset differs", ["preset", "setting", "value", "source"], differing)


def _rows(settings: Mapping[str, Setting]) -> list[list[str]]:
    return [[name, _text(item.default), item.values, item.help, item.source] for name, item in settings.items()]


def _text(value: object) -> str:
    """Write a value as ``--set`` takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
