"""Find the kind of a class and try its promises, for ``check-plugin``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from data_manifests.errors import UsageError
from pipelines.engine.plugins import load_class
from pipelines.plugin_check.promise import Verdict, try_all

Kind = Literal["method", "encoder", "detector", "reader"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def kind_of(spec: str) -> Kind:
    """Infer the kind of a class from its base class and attributes.

    Raises:
        UsageError: there is no such class, or it is of no known kind.
    """
    from pipelines.methods.base import Method

    found = load_class(spec, {}, "class")
    if isinstance(found, type) and issubclass(found, Method):
        return "method"
    signs: dict[Kind, tuple[str, ...]] = {
        "encoder": ("describe", "embed"),
        "detector": ("describe", "detect"),
        "reader": ("splits", "read"),
    }
    for kind, names in signs.items():
        if all(hasattr(found, name) for name in names):
            return kind
    looks = "; ".join(f"{kind}: {' and '.join(names)}" for kind, names in signs.items())
    raise UsageError(
        f"{spec} looks like none of what xmic takes (method: a subclass of pipelines.methods.base.Method; {looks}). "
        "Say what it is to be with --kind."
    )


def check_plugin(
    spec: str,
    kind: Kind,
    *,
    weights: Path | None = None,
    annotations: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Verdict]:
    """Try every promise of a kind.

    Args:
        spec: ``package.module:Class``.
        kind: the kind whose promises are tried.
        weights: for a detector, its ``--weights``.
        annotations: for a reader, its ``--annotations``.
        settings: for a reader, its other arguments.

    Raises:
        UsageError: an option is of another kind, or the class cannot be built.
    """
    given = [
        ("--weights", weights, "detector"),
        ("--annotations", annotations, "reader"),
        ("--set", settings, "reader"),
    ]
    for option, value, owner in given:
        if value and owner != kind:
            raise UsageError(f"{option} is for a {owner}, {spec} is checked as a {kind}.")
    if kind == "method":
        from pipelines.plugin_check.method import promises as of_method

        return try_all(of_method(spec))
    if kind == "encoder":
        from pipelines.plugin_check.encoder import promises as of_encoder

        return try_all(of_encoder(spec))
    if kind == "detector":
        from pipelines.plugin_check.detector import promises as of_detector

        return try_all(of_detector(spec, weights))
    from pipelines.plugin_check.reader import promises as of_reader

    return try_all(of_reader(spec, annotations, settings))
