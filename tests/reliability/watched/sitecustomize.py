"""Note every connection that a Python process asks for; Python imports this module by its name when it starts."""

from __future__ import annotations

import os
import sys
from typing import Any

_LOG = os.environ.get("WATCHED_CONNECTIONS")


def _note(event: str, args: tuple[Any, ...]) -> None:
    # A connection of processes of one machine has a path for an address.
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(args[1], tuple)):
        with open(_LOG or os.devnull, "a") as file:  # noqa: PTH123 - nothing else may be imported here
            file.write(f"{event} {args[-1]} by {sys.argv}\n")


if _LOG:
    sys.addaudithook(_note)
