"""Options that say where shards and cells are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from data_manifests.errors import UsageError
from pipelines.engine.options import Doc, Group, Metavar, Options

_RAY = "Ray"


@dataclass(frozen=True)
class ExecutorOptions(Options):
    """Choice between this machine and a Ray cluster."""

    executor: Annotated[
        Literal["local", "ray"], Group(_RAY), Doc("Where the work is done: this machine, or a Ray cluster.")
    ] = "local"
    address: Annotated[
        str | None,
        Group(_RAY),
        Metavar("HOST:PORT|auto"),
        Doc("Ray cluster. (default: a running one, else one that is started on this machine)"),
    ] = None
    gpus: Annotated[
        float | None,
        Ge(0),
        Group(_RAY),
        Doc("GPUs per Ray worker, also a fraction. (default: 1 where the cluster has GPUs, else 0)"),
    ] = None

    def check(self) -> None:
        """Refuse options of Ray for work on this machine.

        Raises:
            UsageError: such an option is given, the address is one of Ray Client, or the GPUs are 1.5.
        """
        for flag, value in (("--address", self.address), ("--gpus", self.gpus)):
            if self.executor == "local" and value is not None:
                raise UsageError(f"{flag} {value}: it is for a Ray cluster. Add --executor ray, or leave it out.")
        if self.gpus is not None and self.gpus > 1 and self.gpus != int(self.gpus):
            raise UsageError(f"--gpus {self.gpus:g}: expected a whole number, or a share below 1 such as 0.5")
        if self.address is not None and self.address.startswith("ray://"):
            raise UsageError(
                f"--address {self.address}: Ray Client is not used. Run xmic on a node of the cluster, with "
                "--address auto or HOST:PORT."
            )
