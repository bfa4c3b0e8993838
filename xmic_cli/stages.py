"""Run stages from a command, with dry run, progress and JSON result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.engine import stage
from pipelines.engine.stage import RunPolicy, Stage
from xmic_cli import console


def run_stages(stages: Sequence[Stage], policy: RunPolicy, *, dry_run: bool, json: bool) -> None:
    """Run stages in order, or plan them with ``dry_run``.

    A plan says what each stage would do, why, and about how much disk it needs.
    """
    if dry_run:
        plans = [_planned(item, policy) for item in stages]
        lines = [line for plan in plans for line in _plan_lines(plan)]
        console.emit({"plan": plans}, json, lines)
        return
    progress = console.progress()
    reports = [stage.run(item, policy, progress) for item in stages]
    console.emit({"stages": [vars(report) for report in reports]}, json, [report_line(report) for report in reports])


def _planned(item: Stage, policy: RunPolicy) -> dict[str, Any]:
    plan = stage.plan(item, policy)
    return {
        "stage": item.name,
        "folder": str(item.folder),
        "done": len(plan.done),
        "todo": [{"shard": i.unit.path.name, "state": i.state.value, "why": i.why} for i in plan.todo],
        "rows": sum(i.unit.attempted for i in plan.todo),
        "bytes": plan.size,
    }


def _plan_lines(plan: dict[str, Any]) -> list[str]:
    if not plan["todo"]:
        return [f"{plan['folder']}: nothing to do, {plan['done']} shards are up to date"]
    head = (
        f"{plan['folder']}: {len(plan['todo'])} shards to make ({plan['done']} up to date), "
        f"{plan['rows']} rows, about {plan['bytes'] / 1e6:.1f} MB"
    )
    return [head, *(f"  {item['shard']}: {item['state']}, {item['why']}" for item in plan["todo"])]


def report_line(report: stage.Report) -> str:
    """Describe in one line what a stage did."""
    did = f"made {report.made} shards" if report.made else "nothing to do"
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(report.failures.items()))
    left = f", {report.remaining} of {report.shards} shards still to make" if report.remaining else ""
    return f"{report.folder}: {did}, {report.rows} rows" + (f", failed: {failed}" if failed else "") + left
