"""The methods, in a plain dict. One of your own needs no entry: name it as ``package.module:Class``."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from data_manifests.errors import UsageError

if TYPE_CHECKING:
    from pipelines.methods.base import Method

METHODS = {
    "zero-shot": "pipelines.methods.zero_shot:ZeroShot",
    "xmic": "pipelines.methods.xmic:XMIC",
}
"""Name → ``package.module:Class``. Listing the names loads no torch."""


def load_method(spec: str) -> type[Method]:
    """The class of a method.

    Args:
        spec: a name of :data:`METHODS`, or ``package.module:Class`` for a subclass of
            :class:`pipelines.methods.base.Method` that Python can import.

    Raises:
        UsageError: no such name, module or class (names the nearest there is), or it is not a method.
    """
    target = METHODS.get(spec, spec)
    module_name, colon, class_name = target.partition(":")
    if not colon or not module_name or not class_name:
        raise UsageError(
            f"--method {spec}: unknown{_nearest(spec, METHODS)}. Methods are {', '.join(METHODS)}; "
            "a class of your own is written package.module:Class."
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"--method {spec}: cannot import {module_name} ({error}). "
            "Check the spelling, and that the package is installed or its folder is on PYTHONPATH."
        ) from error
    from pipelines.methods.base import Method

    found = getattr(module, class_name, None)
    classes = [name for name, value in vars(module).items() if _is_method(value, Method)]
    if found is None:
        has = f"its methods are {', '.join(classes)}" if classes else "it has no method"
        raise UsageError(f"--method {spec}: {module_name} has no {class_name}{_nearest(class_name, classes)}; {has}.")
    if not _is_method(found, Method):
        raise UsageError(f"--method {spec}: {class_name} is not a subclass of pipelines.methods.base.Method.")
    method: type[Method] = found
    return method


def _is_method(value: object, method: type) -> bool:
    return isinstance(value, type) and issubclass(value, method) and value is not method


def _nearest(name: str, known: dict[str, str] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
