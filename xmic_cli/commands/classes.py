"""``xmic classes``: classes that two datasets share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import typer

from pipelines.engine.options import Doc
from xmic_cli import console
from xmic_cli.completion import complete_datasets
from xmic_cli.options import Json, WorkspaceOption, open_workspace
from xmic_cli.spread import spread

_COLUMNS = ["label", "class_id", "name", "part", "matches", "train_clips", "clips"]
_IN_WORDS = {"supported": "shared, supported", "unsupported": "shared, unsupported"}


@spread
def classes(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="Dataset to train on.", autocompletion=complete_datasets)],
    target: Annotated[str, typer.Argument(help="Dataset to evaluate on.", autocompletion=complete_datasets)],
    label: Annotated[Literal["noun", "verb", "both"], Doc("Classes to list.")] = "both",
    rule: Annotated[
        Literal["exact", "semantic"],
        Doc("exact: equal names; semantic: a common synonym in the lists of both datasets."),
    ] = "exact",
    split: Annotated[
        str | None, typer.Option(help="Split of the target whose clips are counted. (default: val, else test)")
    ] = None,
    workspace: WorkspaceOption = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the classes as CSV.")] = False,
) -> None:
    """List the classes that a target dataset shares with a source.

    All other classes of the target are novel. A shared class is supported when the source has a training clip of a
    class that it matches. The sha256 names this division into shared and novel classes; results carry it.
    """
    from data_manifests.errors import UsageError
    from data_manifests.schema import LABELS, canonical_split
    from pipelines.prepare.vocabulary import compare_datasets

    if json and csv:
        raise UsageError("--json --csv: choose one of them")
    found = compare_datasets(
        open_workspace(context, workspace),
        source,
        target,
        LABELS if label == "both" else (label,),
        rule,
        canonical_split(split) if split else None,
    )
    if json:
        console.emit(found, True)
    elif csv:
        _print_csv(found)
    else:
        _print(found)


def _print_csv(found: dict[str, Any]) -> None:
    from pipelines.engine.csv_text import csv_text

    names = ["source", "target", "rule", "split"]
    rows = [
        [*(found[name] for name in names), item["sha256"], label, *_cells(row)]
        for label, item in found["labels"].items()
        for row in item["classes"]
    ]
    console.print_text(csv_text([*names, "sha256", *_COLUMNS], rows))


def _print(found: dict[str, Any]) -> None:
    source, target, labels = found["source"], found["target"], found["labels"]
    hashes = [f"{label} classes, {found['rule']} rule: sha256 {item['sha256']}" for label, item in labels.items()]
    console.emit(found, False, hashes)
    summary = [
        [label, _IN_WORDS.get(part, part), item["source_classes"].get(part, ""), *_dashed(counts.values())]
        for label, item in labels.items()
        for part, counts in item["parts"].items()
    ]
    where = f"{target} {found['split'] or ''}".rstrip()
    columns = ["label", "part", f"classes of {source}", f"classes of {target}", "with clips", "clips"]
    console.table(f"{where} seen from {source}", columns, summary)
    rows = [[label, *_dashed(_cells(row))] for label, item in labels.items() for row in item["classes"]]
    columns = ["label", "id", "name", "part", f"in {source}", "train clips", "clips"]
    console.table(f"classes of {target}", columns, rows)
    if any(item["parts"]["supported"]["classes"] is None for item in labels.values()):
        console.note(f"{source} has no prepared train split: which shared classes are supported is not known")
    if found["split"] is None:
        console.note(f"{target} has no prepared val or test split: its clips are not counted")


def _cells(row: dict[str, Any]) -> list[Any]:
    return [row["class_id"], row["name"], row["part"], "; ".join(row["matches"]), row["train_clips"], row["clips"]]


def _dashed(values: Iterable[Any]) -> list[Any]:
    return ["–" if value is None else value for value in values]
