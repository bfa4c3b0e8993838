"""Build the reader that options or a ``[[dataset]]`` name.

The options are those of ``xmic prepare``, and the ``[[dataset]]`` is one of ``xmic.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_manifests.errors import UsageError
from data_manifests.readers import Reader
from pipelines.engine.plugins import check_options, load_class
from pipelines.prepare.options import (
    Ego4dOptions,
    EgteaOptions,
    EpicOptions,
    OwnOptions,
    PrepareOptions,
    TableOptions,
)

READERS = ("table", "epic", "ego4d", "egtea")
"""Readers with a short name; a user's own reader is named as ``package.module:Class``."""


def reader_of(options: PrepareOptions) -> Reader:
    """Build the reader of a dataset from its options.

    Raises:
        InputError: the annotations are missing.
        UsageError: see :func:`own_reader`.
    """
    if isinstance(options, EpicOptions):
        from data_manifests.readers.epic import EpicReader

        return EpicReader(options.annotations, options.pattern)
    if isinstance(options, Ego4dOptions):
        from data_manifests.readers.ego4d import Ego4dReader, window_of

        return Ego4dReader(options.annotations, window_of(options.preset, options.window), options.pattern)
    if isinstance(options, EgteaOptions):
        from data_manifests.readers.egtea import EgteaReader

        return EgteaReader(options.annotations, not options.drop_empty_class, options.pattern)
    if isinstance(options, TableOptions):
        from data_manifests.readers.holdout import Holdout
        from data_manifests.readers.table import TableReader, parse_files

        holdout = Holdout.parse(options.holdout, options.holdout_seed) if options.holdout is not None else None
        class_files = {label: file for label, file in (("noun", options.nouns), ("verb", options.verbs)) if file}
        files, roots = parse_files(options.files), roots_of(options)
        return TableReader(files, options.column, roots, class_files, options.fps, holdout)  # type: ignore[arg-type]
    assert isinstance(options, OwnOptions)
    return own_reader(options.reader, options.annotations, options.set)


def roots_of(options: PrepareOptions) -> Sequence[Path]:
    """Return the folders with the videos.

    For a table without named folders it is the folder of its first file.
    """
    if options.videos or not isinstance(options, TableOptions):
        return options.videos
    from data_manifests.readers.table import parse_files

    return [parse_files(options.files)[0][0].parent]


_PARTS = ("name", "parameters", *(name for name in vars(Reader) if not name.startswith("_")))


def own_reader(spec: str, annotations: Path | None = None, settings: Mapping[str, Any] | None = None) -> Reader:
    """Build a reader of the user's own.

    Args:
        spec: ``package.module:Class``, a class of the form of :class:`data_manifests.readers.Reader`.
        annotations: value of the class's argument ``annotations``; None passes no such argument.
        settings: other arguments of the class.

    Raises:
        UsageError: the reader is one of ours; the module or class does not exist; the class does not take an argument;
            or it is no reader.
    """
    if spec in READERS:
        raise UsageError(f"--reader {spec}: it has a command of its own, xmic prepare {spec}.")
    found = load_class(spec, {}, "reader", READERS)
    given = {**({"annotations": annotations} if annotations else {}), **(settings or {})}
    check_options(found, spec, "reader", given)
    reader: Reader = found(**given)
    lacking = [name for name in dict.fromkeys(_PARTS) if not hasattr(reader, name)]
    if lacking:
        raise UsageError(
            f"--reader {spec}: it is no reader, for it has no {', '.join(lacking)}. "
            f"See data_manifests.readers.Reader, and run xmic check-plugin {spec}."
        )
    return reader
