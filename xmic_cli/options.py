"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data_manifests.remote.access import DEFAULT_SIZE
from xmic_cli.completion import COMPLETERS
from xmic_cli.workspace_folder import workspace_folder

if TYPE_CHECKING:
    from pipelines.engine.machine import Machine
    from pipelines.engine.stage import RunPolicy
    from pipelines.engine.workspace import Workspace

_STAGE = "Which shards"
_MACHINE = "Machine"

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        help="Folder of all artifacts. (default: $XMIC_WORKSPACE, else that of ./xmic.toml, else ./xmic-work)",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Print what would run, why, and about how much disk it needs.")
]
Limit = Annotated[int | None, typer.Option(min=0, help="Make at most N shards in this call.", rich_help_panel=_STAGE)]
Shard = Annotated[
    str | None,
    typer.Option(metavar="i/N", help="Make the i-th of N shares of the shards (job arrays).", rich_help_panel=_STAGE),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Redo shards with failed rows.", rich_help_panel=_STAGE)
]
MaxFailures = Annotated[
    str,
    typer.Option(metavar="N|P%", help="Failed rows allowed before the command exits 4.", rich_help_panel=_STAGE),
]
BreakLock = Annotated[
    bool, typer.Option("--break-lock", help="Take over locks of other hosts.", rich_help_panel=_STAGE)
]
WaitLock = Annotated[
    float,
    typer.Option(
        "--wait-lock",
        min=0,
        metavar="MINUTES",
        help="Wait so long for a shard that another host has locked. A dead host's lock ends after 2 minutes.",
        rich_help_panel=_STAGE,
    ),
]
AllowPartial = Annotated[
    bool,
    typer.Option(
        "--allow-partial",
        help="Make what can be made while an earlier stage is incomplete, instead of exiting 5.",
        rich_help_panel=_STAGE,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Worker processes or threads. (default: CPU cores)", rich_help_panel=_MACHINE),
]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_MACHINE)]
Devices = Annotated[
    str | None,
    typer.Option(
        "--devices",
        help="Several devices, a process each: all (CUDA devices), or names with commas, as cuda:0,cuda:1.",
        rich_help_panel=_MACHINE,
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Never use the network.", envvar="XMIC_OFFLINE", rich_help_panel=_MACHINE),
]
Scratch = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="DIR",
        help="Folder of the local copies of remote files, best on a disk of this machine. (default: in the user cache)",
        envvar="XMIC_SCRATCH",
        rich_help_panel=_MACHINE,
    ),
]
ScratchSize = Annotated[
    str,
    typer.Option(
        "--scratch-size",
        metavar="SIZE",
        help="Most that these copies take together; those used least recently go first.",
        envvar="XMIC_SCRATCH_SIZE",
        rich_help_panel=_MACHINE,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Import the classes (package.module:Class) that a run from outside the workspace names."
    ),
]
Dataset = Annotated[
    str | None,
    typer.Argument(help="A prepared dataset. (default: all of them)", autocompletion=COMPLETERS["datasets"]),
]
Split = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        help="train, val or test; may be repeated. (default: all prepared)",
        autocompletion=COMPLETERS["splits"],
    ),
]


def open_workspace(context: typer.Context, given: Path | None) -> Workspace:
    """Open the workspace of a command.

    :func:`xmic_cli.workspace_folder.workspace_folder` chooses the folder.
    """
    from pipelines.engine.workspace import Workspace

    return Workspace.open(workspace_folder(context, given))


def machine_of(workers: int | None, device: str, offline: bool, devices: str | None = None) -> Machine:
    """Join the shared machine options into one value.

    ``workers`` None means the CPU cores that this process may use.
    """
    from pipelines.engine.machine import Machine, usable_cores

    return Machine(workers or usable_cores(), device, offline, devices)


def allow_remote(scratch: Path | None, size: str, offline: bool) -> None:
    """Set how this call and its workers may read remote files."""
    from data_manifests.remote.access import access_by, use

    use(access_by(scratch, size, offline=offline))


@dataclass(frozen=True)
class RemoteOptions:
    """Options of the commands that read annotations or videos."""

    scratch: Scratch = None
    scratch_size: ScratchSize = DEFAULT_SIZE


@dataclass(frozen=True)
class StageOptions:
    """Options of every command that makes shards."""

    workspace: WorkspaceOption = None
    limit: Limit = None
    shard: Shard = None
    retry_failed: RetryFailed = False
    max_failures: MaxFailures = "5%"
    break_lock: BreakLock = False
    wait_lock: WaitLock = 0.0
    allow_partial: AllowPartial = False
    workers: Workers = None
    device: Device = "auto"
    offline: Offline = False
    dry_run: DryRun = False
    json: Json = False

    def open(self, context: typer.Context) -> Workspace:
        """Open the workspace of the command."""
        return open_workspace(context, self.workspace)

    @property
    def machine(self) -> Machine:
        """Workers, device and network of the call."""
        return machine_of(self.workers, self.device, self.offline)

    @property
    def policy(self) -> RunPolicy:
        """Choice of shards and limit on failures."""
        from pipelines.engine.stage import RunPolicy, parse_max_failures, parse_shard

        return RunPolicy(
            limit=self.limit,
            shard=parse_shard(self.shard) if self.shard else (0, 1),
            retry_failed=self.retry_failed,
            max_failures=parse_max_failures(self.max_failures),
            break_lock=self.break_lock,
            wait_lock_s=60 * self.wait_lock,
            allow_partial=self.allow_partial,
        )
