"""Find a class by its short name or as ``package.module:Class``.

So a user's own class needs no fork.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data_manifests.errors import UsageError


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name for an error text.

    Returns:
        " Did you mean 'x'?" with a leading space, or '' when no name is near.
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def load_class(name: str, known: Mapping[str, str], what: str, also: Sequence[str] = ()) -> Any:
    """Import the class behind a name.

    Args:
        name: a key of ``known``, or ``package.module:Class``.
        known: short name → ``package.module:Class``.
        what: what the class is, for the error text ('detector', 'encoder').
        also: names that are accepted in its place but are no classes, for the error text.

    Raises:
        UsageError: the name is unknown, or its module or class cannot be found.
    """
    path = known.get(name, name)
    module_name, colon, class_name = path.partition(":")
    if not colon or not module_name or not class_name:
        names = sorted({*known, *also})
        raise UsageError(
            f"There is no {what} '{name}'.{did_you_mean(name, names)} Known: {', '.join(names)}. "
            f"Your own is named as package.module:Class."
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(
            f"{what} '{name}': the module {module_name} cannot be imported ({error}). "
            f"Install it, or add its folder to PYTHONPATH."
        ) from error
    try:
        return getattr(module, class_name)
    except AttributeError:
        names = [key for key, value in vars(module).items() if inspect.isclass(value)]
        raise UsageError(
            f"{what} '{name}': the module {module_name} has no class {class_name}.{did_you_mean(class_name, names)}"
        ) from None


def check_options(found: Any, name: str, what: str, options: Mapping[str, Any]) -> None:
    """Check options against the signature of a class.

    Raises:
        UsageError: an option is unknown or a required one is missing; the text lists the accepted ones.
    """
    signature = inspect.signature(found)
    try:
        signature.bind(**options)
    except TypeError as error:
        accepted = ", ".join(
            key if parameter.default is parameter.empty else f"{key}={parameter.default!r}"
            for key, parameter in signature.parameters.items()
            if parameter.default is parameter.empty or not callable(parameter.default)
        )
        raise UsageError(f"{what} '{name}': {error}. It takes: {accepted}.") from error
