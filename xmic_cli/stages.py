"""Run stages from a command, with dry run, progress and JSON result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from data_manifests.times import clock_of
from pipelines.engine import stage
from pipelines.engine.stage import RunPolicy, Stage
from xmic_cli import console
from xmic_cli.executors import executor_of
from xmic_cli.meter import per_second

if TYPE_CHECKING:
    from pipelines.chain.executor import Executor
    from pipelines.chain.executor_options import ExecutorOptions
    from pipelines.engine.devices import Build
    from pipelines.engine.machine import Machine
    from xmic_cli.options import StageOptions


def run_stages(
    stages: Sequence[Stage],
    policy: RunPolicy,
    *,
    dry_run: bool,
    json: bool,
    builds: Sequence[Build] = (),
    executor: Executor | None = None,
    network: bool = False,
) -> None:
    """Run stages in order, or plan them with ``dry_run``.

    A plan says what each stage would do, why, and about how much disk it needs.

    Args:
        stages: the stages.
        policy: choice of shards and limit on failures.
        dry_run: plan only.
        json: print JSON.
        builds: builds the stages again for each of several devices.
        executor: where the shards are made; None = here.
        network: the stages run a network.
    """
    if dry_run:
        plans = [_planned(item, policy) for item in stages]
        lines = [line for plan in plans for line in _plan_lines(plan)]
        console.emit({"plan": plans}, json, lines)
        return
    from pipelines.chain.executor import Local, Step
    from pipelines.chain.findings import finding

    reports = []
    steps = [Step(stages[0].name, builds or [lambda: stages], network)] if stages else []
    for item, report in (executor or Local()).run(steps, policy, console.progress()):
        reports.append({**vars(report), "finding": finding(item) if report.made else ""})
    console.emit({"stages": reports}, json, list(report_lines(reports)))


def run_on_devices(
    build: Callable[[Machine], Sequence[Stage]],
    shared: StageOptions,
    devices: str | None,
    where: ExecutorOptions,
    look: Callable[[Sequence[Stage]], None] = lambda _: None,
) -> None:
    """Run stages with a network on each device, or on a cluster.

    Args:
        build: builds the same stages for the machine of a device. For several devices it must pickle.
        shared: options of the command.
        devices: value of ``--devices``; None where it was not given.
        where: options that choose the executor.
        look: sees the stages before they are run.
    """
    machine = replace(shared.machine, devices=devices)
    with executor_of(where, shared.workers, machine) as executor:
        builds = [partial(build, one) for one in executor.machine(machine, network=True).each()]
        stages = builds[0]()
        look(stages)
        run_stages(
            stages,
            shared.policy,
            dry_run=shared.dry_run,
            json=shared.json,
            builds=builds,
            executor=executor,
            network=True,
        )


def _planned(item: Stage, policy: RunPolicy) -> dict[str, Any]:
    plan = stage.plan(item, policy)
    return {
        "stage": item.name,
        "folder": str(item.folder),
        "done": len(plan.done),
        "todo": [{"shard": i.unit.path.name, "state": i.state.value, "why": i.why} for i in plan.todo],
        "lacking": [{"shard": unit.path.name, "lacks": unit.lacks} for unit in plan.lacking],
        "rows": sum(i.unit.attempted for i in plan.todo),
        "bytes": plan.size,
    }


def _plan_lines(plan: dict[str, Any]) -> list[str]:
    lacking = [f"  {item['shard']}: lacks {item['lacks']}" for item in plan["lacking"]]
    if not plan["todo"]:
        return [f"{plan['folder']}: nothing to do, {plan['done']} shards are up to date", *lacking]
    head = (
        f"{plan['folder']}: {len(plan['todo'])} shards to make ({plan['done']} up to date), "
        f"{plan['rows']} rows, about {plan['bytes'] / 1e6:.1f} MB"
    )
    return [head, *(f"  {item['shard']}: {item['state']}, {item['why']}" for item in plan["todo"]), *lacking]


def report_lines(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Describe what stages did, in one line each.

    Stages that had nothing to do share one line.

    Args:
        reports: fields of :class:`pipelines.engine.stage.Report`, and 'finding', see
            :func:`pipelines.chain.findings.finding`.
    """
    quiet = [report for report in reports if not (report["made"] or report["remaining"] or report["failures"])]
    yield from (report_line(report) for report in reports if report not in quiet)
    if quiet:
        names = dict.fromkeys(str(report["stage"]) for report in quiet)
        rows = sum(report["rows"] for report in quiet)
        yield f"nothing to do: {', '.join(names)} ({rows:,} rows in {len(quiet)} folders are up to date)"


def report_line(report: Mapping[str, Any]) -> str:
    """Describe in one line what a stage did."""
    counted, seconds = report["counted"], report["seconds"]
    did = f"nothing to do, {report['rows']:,} {counted}"
    if report["made"]:
        rate = f", {per_second(report['made_rows'] / seconds)}" if seconds >= 1 else ""
        did = f"{report['made_rows']:,} {counted} in {clock_of(seconds, digits=0)}{rate}"
    failed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report["failures"].items()))
    parts = [did, report["finding"], f"failed: {failed}" if failed else ""]
    parts.append(f"{report['remaining']} of {report['shards']} shards still to make" if report["remaining"] else "")
    return f"{report['stage']} {report['title']}: {'; '.join(filter(None, parts))}"
