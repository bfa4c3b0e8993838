"""Name the methods and load their classes.

A user's own method needs no entry here: it is named as ``package.module:Class``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_manifests.errors import UsageError
from pipelines.engine.plugins import load_class

if TYPE_CHECKING:
    from pipelines.methods.base import Method

METHODS = {
    "zero-shot": "pipelines.methods.zero_shot:ZeroShot",
    "coop": "pipelines.methods.coop:CoOp",
    "cocoop": "pipelines.methods.cocoop:CoCoOp",
    "clip-adapter": "pipelines.methods.clip_adapter:CLIPAdapter",
    "clip-adapter-temporal": "pipelines.methods.clip_adapter:CLIPAdapterTemporal",
    "a5": "pipelines.methods.efficient_prompt:A5",
    "a6": "pipelines.methods.efficient_prompt:A6",
    "vita-clip": "pipelines.methods.vita_clip:VitaCLIP",
    "xmic": "pipelines.methods.xmic:XMIC",
    "late-fusion": "pipelines.methods.late_fusion:LateFusion",
}
"""Name → ``package.module:Class``. Listing the names loads no torch."""


def load_method(spec: str) -> type[Method]:
    """Load the class of a method.

    Args:
        spec: a name of :data:`METHODS`, or ``package.module:Class`` for a subclass of
            :class:`pipelines.methods.base.Method` that Python can import.

    Raises:
        UsageError: there is no such name, module or class (the nearest name is given), or it is not a method.
    """
    found = load_class(spec, METHODS, "method")
    from pipelines.methods.base import Method

    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UsageError(f"--method {spec}: it is not a subclass of pipelines.methods.base.Method.")
    method: type[Method] = found
    return method
