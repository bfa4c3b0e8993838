"""Run a reader and show what it found, for every dataset format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from xmic_cli import console
from xmic_cli.commands.prepare.options import PrepareCall
from xmic_cli.options import allow_remote, open_workspace

if TYPE_CHECKING:
    from data_manifests.readers import Reader
    from pipelines.engine.workspace import Workspace
    from pipelines.prepare.check.run import SplitCheck
    from pipelines.prepare.options import PrepareOptions
    from pipelines.prepare.stage import Prepared

_SHOWN = 10


def run(context: typer.Context, options: PrepareOptions, call: PrepareCall) -> None:
    """Write the manifests, check the videos if asked, and show both."""
    from data_manifests.errors import UsageError
    from data_manifests.schema import canonical_split
    from pipelines.chain.readers import reader_of, roots_of
    from pipelines.engine.run_policy import parse_max_failures
    from pipelines.prepare.stage import prepare

    if call.deep and not call.check:
        raise UsageError("--deep: it belongs to --check; give both")
    allow_remote(call.scratch, call.scratch_size, call.offline)
    reader = reader_of(options)
    workspace = open_workspace(context, call.workspace)
    found = prepare(
        workspace,
        options.name,
        reader,
        roots_of(options),
        splits=[canonical_split(item) for item in options.split],
        limit=options.limit,
        dry_run=call.dry_run,
        break_lock=call.break_lock,
        max_failures=parse_max_failures(options.max_failures),
        progress=console.progress(),
    )
    if call.dry_run:
        lines = found.plan or ["nothing to do: the manifests are up to date"]
        told = {"would_write": found.plan, "would_reject": found.would_reject}
        console.emit(told, call.json, [*lines, *found.would_reject])
        return
    tables = _check(workspace, call, found) if call.check else {}
    if call.list_needed:
        _print_needed(workspace, call, reader, found, tables)
        return
    result = vars(found) | ({"check": {split: vars(table) for split, table in tables.items()}} if tables else {})
    console.emit(result, call.json, _lines(options.name, vars(found)))
    if tables and not call.json:
        _print_check(options.name, tables)


def _check(workspace: Workspace, call: PrepareCall, found: Prepared) -> dict[str, SplitCheck]:
    from pipelines.prepare.check.run import check
    from xmic_cli.options import machine_of

    workers = machine_of(call.workers, "cpu", offline=True).workers
    return check(
        workspace,
        found.dataset,
        list(found.splits),
        workers,
        console.progress(),
        deep=call.deep,
        max_pixels=call.max_pixels,
    )


def _print_needed(
    workspace: Workspace,
    call: PrepareCall,
    reader: Reader,
    found: Prepared,
    tables: Mapping[str, SplitCheck],
) -> None:
    from pipelines.prepare.check.run import missing_videos, needed

    ids = needed(tables) if tables else missing_videos(workspace, found.dataset, list(found.splits))
    for line in _lines(found.dataset, vars(found)):
        console.note(line)
    console.note(f"{len(ids)} videos are needed")
    console.emit({"needed": ids}, call.json, reader.downloader_list(ids))


def _print_check(name: str, tables: Mapping[str, SplitCheck]) -> None:
    from pipelines.prepare.check.verdict import STATUSES

    rows = [
        [split, status.replace("_", " "), table.videos[status], table.clips[status], words]
        for split, table in tables.items()
        for status, words in STATUSES.items()
    ]
    console.table(f"the videos of {name}", ["split", "status", "videos", "clips", "meaning"], rows)
    for split, table in tables.items():
        looked_at = [problem for problem in table.problems if problem["status"] != "missing"]
        for problem in looked_at[:_SHOWN]:
            console.note(
                f"{split} {problem['video_id']}: {problem['status'].replace('_', ' ')}, {problem['clips']} clips: "
                f"{problem['detail']}"
            )
        if len(looked_at) > _SHOWN:
            console.note(f"  … and {len(looked_at) - _SHOWN} more (--json lists all)")
        seen = [one for one in table.decoded.values() if not isinstance(one, str)]
        if seen:
            frames, lost = (sum(one[name] for one in seen) for name in ("frames", "lost"))
            console.note(f"{split}: {frames + lost} frames of {len(seen)} videos were decoded, {lost} are damaged")


def _lines(name: str, result: Mapping[str, Any]) -> list[str]:
    lines = []
    for split, counts in result["splits"].items():
        present = counts["classes_present"]
        lines.append(
            f"{name} {split}: {counts['clips']} clips of {counts['videos']} videos "
            f"({counts['missing_videos']} of them not found), {counts['rejects']} rejected rows, "
            + ", ".join(f"{present[label]} of {result['classes'][label]} {label} classes" for label in present)
        )
        for reason, count in counts["reject_reasons"].items():
            first = counts["first_rejects"][reason]
            lines.append(
                f"  rejected: {count} {reason}, the first in {first['file']}, row {first['row']}: {first['detail']}"
            )
        if counts["reject_reasons"]:
            lines.append(f"  all rejected rows: {counts['rejects_file']}")
        lines += [f"  {line}" for line in _overlap_lines(counts)]
        lines += [f"  {finding}" for finding in counts["findings"]]
    if not result["made"]:
        lines.append("nothing to do: the manifests were up to date")
    return lines


def _overlap_lines(counts: Mapping[str, Any]) -> Iterator[str]:
    for label, overlap in counts["overlaps"].items():
        if overlap["clips"]:
            yield (
                f"{overlap['clips']} clips overlap a clip of another {label} in the same video, "
                f"{100 * overlap['share']:.1f} % of the labelled time"
            )
