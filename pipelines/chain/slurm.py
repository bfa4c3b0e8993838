"""Write the chain of an ``xmic.toml`` as Slurm jobs, for ``xmic slurm``.

The scripts are plain text to be read and edited. Nothing is submitted here, and no stage knows Slurm. Nothing heavy is
imported, since ``xmic --help`` reads the options.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from data_manifests.errors import InputError, UsageError
from pipelines.engine.options import Doc, Metavar, Options

SUBMIT = "submit.sh"
LOGS = "logs"

_WARNING_S = 120
_WAIT_LOCK_MINUTES = 5
_TIME = r"(\d+-)?\d+(:\d\d){0,2}"
_LINES = "\n"


@dataclass(frozen=True, kw_only=True)
class SlurmOptions(Options):
    """Options of ``xmic slurm``."""

    out: Annotated[Path, Metavar("DIR"), Doc("Folder for the scripts and their logs.")]
    tasks: Annotated[int, Ge(1), Doc("Tasks of each array that shares the shards of a stage.")] = 8
    cpus: Annotated[int, Ge(1), Doc("CPU cores per task.")] = 8
    gpus: Annotated[int, Ge(0), Doc("GPUs per task that detects hands, embeds or trains; 0 for none.")] = 1
    time: Annotated[str, Metavar("TIME"), Doc("Time limit per task, as Slurm takes it.")] = "04:00:00"
    partition: Annotated[str | None, Doc("Partition of the jobs.")] = None
    gpu_partition: Annotated[str | None, Doc("Partition of the jobs with a GPU. (default: --partition)")] = None
    account: Annotated[str | None, Doc("Account that is charged.")] = None

    def check(self) -> None:
        """Refuse a time limit that Slurm would not take."""
        if not re.fullmatch(_TIME, self.time):
            raise UsageError(
                f"--time {self.time}: expected minutes, [hours:]minutes:seconds or days-hours[:minutes[:seconds]], "
                "for instance 04:00:00"
            )


@dataclass(frozen=True)
class Chain:
    """Facts of the chain that its jobs depend on.

    Attributes:
        file: absolute path of the configuration.
        workspace: folder that replaces the workspace of the file; None where the file's is used.
        report: command line that writes the report.
        detects: hands are looked for in some dataset, by a detector or in boxes to import.
        cells: number of trainings; 0 where nothing is trained.
    """

    file: Path
    workspace: Path | None
    report: str
    detects: bool
    cells: int


@dataclass(frozen=True)
class _Job:
    name: str
    does: str
    command: str
    tasks: int = 0
    gpu: bool = False


def write_slurm(chain: Chain, options: SlurmOptions) -> list[Path]:
    """Write one sbatch script per job, and one that submits them.

    Each job starts when all tasks of the one before have ended well.

    Returns:
        The files; the last is the script to run.

    Raises:
        InputError: a script is there already; it may have been edited.
    """
    jobs = list(_jobs(chain, options))
    texts = {f"{number}-{job.name}.sbatch": _script(number, jobs, options) for number, job in enumerate(jobs, 1)}
    texts[SUBMIT] = _submit(list(texts))
    for path in (options.out / name for name in texts):
        if path.exists():
            raise InputError(f"{path}: exists, and may have been edited. Remove it, or name another folder with --out.")
    (options.out / LOGS).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (options.out / name).write_text(text, encoding="utf-8")
    (options.out / SUBMIT).chmod(0o755)
    return [options.out / name for name in texts]


def _jobs(chain: Chain, options: SlurmOptions) -> Iterator[_Job]:
    gpu = options.gpus > 0
    run = shlex.join(
        ["xmic", "run", str(chain.file), *(["-w", str(chain.workspace)] if chain.workspace else [])],
    )
    share = f'--shard "$SLURM_ARRAY_TASK_ID/{options.tasks}" --wait-lock {_WAIT_LOCK_MINUTES}'
    # Without a GPU such a task would make other bytes by itself, so it must fail instead.
    device = " --device cuda" if gpu else ""
    yield _Job("prepare", "read the annotations", f"{run} --only prepare")
    yield _Job("decode", "decode the videos", f"{run} --only decode {share}", options.tasks)
    if chain.detects:
        command = f"{run} --only detect-hands {share}{device}"
        yield _Job("detect-hands", "find the hands", command, options.tasks, gpu)
    yield _Job("embed", "embed frames and crops", f"{run} --only embed {share}{device}", options.tasks, gpu)
    if chain.cells:
        command = f"{run} --cell $SLURM_ARRAY_TASK_ID --wait-lock {_WAIT_LOCK_MINUTES}{device}"
        yield _Job("train", "train and evaluate one cell per task", command, chain.cells, gpu)
        yield _Job("report", "write the report", chain.report)


def _script(number: int, jobs: list[_Job], options: SlurmOptions) -> str:
    job = jobs[number - 1]
    partition = (options.gpu_partition or options.partition) if job.gpu else options.partition
    settings: Mapping[str, object] = {
        "job-name": f"xmic-{job.name}",
        "array": f"0-{job.tasks - 1}" if job.tasks else None,
        "cpus-per-task": options.cpus,
        "gpus": options.gpus if job.gpu else None,
        "time": options.time,
        "partition": partition,
        "account": options.account,
        "output": f"{LOGS}/{number}-{job.name}-{'%A_%a' if job.tasks else '%j'}.log",
        "open-mode": "append",
        "signal": f"B:USR1@{_WARNING_S}",
    }
    given = [f"#SBATCH --{name}={value}" for name, value in settings.items() if value is not None]
    this = "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" if job.tasks else "$SLURM_JOB_ID"
    return f"""#!/bin/bash
# Job {number} of {len(jobs)}: {job.does}. Submitted again, it makes what is left.
{_LINES.join(given)}
#SBATCH --requeue

# If a node does not know `xmic`, say here where it is: module load …, source …/bin/activate

{job.command} &
xmic=$!

# {_WARNING_S} s before the time limit Slurm sends USR1 to this shell, which sends it on. xmic then keeps what is
# finished and exits with 130 (138 if it had not begun), and the task is put back into the queue.
trap 'kill -USR1 "$xmic"' USR1
wait "$xmic"
code=$?
while kill -0 "$xmic" 2>/dev/null; do  # the trap ended the wait
    wait "$xmic"
    code=$?
done
if [ "$code" -eq 130 ] || [ "$code" -eq 138 ]; then
    scontrol requeue "{this}"
fi
exit "$code"
"""


def _submit(scripts: list[str]) -> str:
    lines = [f'job=$(sbatch --parsable {scripts[0]}) && job=${{job%%;*}} && echo "$job {scripts[0]}"']
    lines += [
        f'job=$(sbatch --parsable --kill-on-invalid-dep=yes --dependency="afterok:$job" {name}) '
        f'&& job=${{job%%;*}} && echo "$job {name}"'
        for name in scripts[1:]
    ]
    return f"""#!/bin/bash
# Submits the whole chain. Each job starts when all tasks of the one before have ended well; otherwise it is cancelled.
# What to submit again: xmic status --shards --tasks N, and xmic run FILE --list-cells.
set -euo pipefail
cd "$(dirname "$0")"

{_LINES.join(lines)}
"""
