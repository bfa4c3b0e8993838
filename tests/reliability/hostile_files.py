"""Files that would run a program, if what loads them let them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Trap:
    """An object whose unpickling calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def payloads(mark: Path) -> dict[str, bytes]:
    """Hostile contents by name; each would make the file ``mark``."""
    touch = f"touch {mark}"
    traps = {
        "os.system": Trap(os.system, touch),
        "eval": Trap(eval, f"__import__('os').system({touch!r})"),
        "exec": Trap(exec, f"open({str(mark)!r}, 'w').close()"),
        "Popen": Trap(subprocess.Popen, ["touch", str(mark)]),
        "getattr": Trap(getattr, Trap(__import__, "os"), "system"),
    }
    found = {}
    for name, trap in traps.items():
        for protocol in (0, 2, 5):
            found[f"pickle {protocol} of {name}"] = pickle.dumps(trap, protocol)
        content = {"vectors": torch.zeros(2, 2), "state_dict": {"a": trap}, "model": trap, "clip_id": trap}
        for zipped in (True, False):
            sink = io.BytesIO()
            torch.save(content, sink, _use_new_zipfile_serialization=zipped)
            found[f"torch {'zip' if zipped else 'legacy'} of {name}"] = sink.getvalue()
        one, several = io.BytesIO(), io.BytesIO()
        objects = np.array([[trap]], dtype=object)
        np.save(one, objects, allow_pickle=True)
        np.savez(several, vectors=objects, clip_id=objects)
        found |= {f"npy of {name}": one.getvalue(), f"npz of {name}": several.getvalue()}
    code = f"__import__('os').system({touch!r})"
    for name, text in {
        "apply": f'!!python/object/apply:os.system ["{touch}"]\n',
        "new": f'a: !!python/object/new:os.system ["{touch}"]\n',
        "module": "a: !!python/module:somebody_elses\n",
        "name": "a: !!python/name:somebody_elses.Method\n",
    }.items():
        found[f"YAML {name}"] = text.encode()
    found["JSON of a class"] = (
        b'{"method": "somebody_elses:Method", "spec": "somebody_elses:Method", "name": "../../x"}'
    )
    found["a formula"] = f"clip_id,noun:0\n=cmd|'/C {touch}'!A0,{code}\n".encode()
    for name, size in {"huge": 2**62, "negative": 2**64 - 8, "odd": 3}.items():
        found[f"safetensors with {name} header"] = struct.pack("<Q", size) + b'{"a":{"dtype":"F32"'
    header = b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    found["safetensors beyond the file"] = struct.pack("<Q", len(header)) + header
    return found
