"""The reader that a ``[[dataset]]`` section of ``xmic.toml`` names, or that is a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_manifests.errors import UsageError
from data_manifests.readers import Reader
from pipelines.chain.config import READERS, DatasetSection
from pipelines.engine.plugins import check_options, load_class


def reader_of(section: DatasetSection) -> Reader:
    """Build it.

    Raises:
        UsageError: a key the reader needs is missing, or one is given that it does not take.
    """
    _refuse_foreign_keys(section)
    if section.reader not in READERS:
        return own_reader(section.reader, section.annotations, section.set)
    if section.reader == "table":
        return _table(section)
    if section.reader == "ego4d":
        from data_manifests.readers.ego4d import Ego4dReader, window_of

        return Ego4dReader(_annotations(section), window_of(section.preset, section.window), section.patterns)
    if section.reader == "egtea":
        from data_manifests.readers.egtea import EgteaReader

        return EgteaReader(_annotations(section), not section.drop_empty_class, section.patterns)
    from data_manifests.readers.epic import EpicReader

    return EpicReader(_annotations(section), section.patterns)


_PARTS = ("name", "parameters", *(name for name in vars(Reader) if not name.startswith("_")))


def own_reader(spec: str, annotations: Path | None = None, settings: Mapping[str, Any] | None = None) -> Reader:
    """Build a reader of the user's own.

    Args:
        spec: ``package.module:Class``, a class of the form of :class:`data_manifests.readers.Reader`.
        annotations: given to the class as ``annotations``; not given when None.
        settings: its other arguments.

    Raises:
        UsageError: one of ours, no such module or class, an argument it does not take, or it is no reader.
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


_OWN_KEYS = {
    "table": ("files", "columns", "nouns", "verbs"),
    "epic": ("annotations", "patterns"),
    "ego4d": ("annotations", "patterns", "preset", "window"),
    "egtea": ("annotations", "patterns", "drop_empty_class"),
}


def _refuse_foreign_keys(section: DatasetSection) -> None:
    some = {"set", *(key for keys in _OWN_KEYS.values() for key in keys)}
    given = {key for key in some if getattr(section, key) != DatasetSection.model_fields[key].default}
    takes = _OWN_KEYS.get(section.reader, ("annotations", "set"))
    foreign = sorted(given - set(takes))
    if foreign:
        raise UsageError(
            f"[[dataset]] {section.name}: reader {section.reader} takes no {foreign[0]}; it takes {', '.join(takes)}."
        )


def _annotations(section: DatasetSection) -> Path:
    if section.annotations is None:
        raise UsageError(f'[[dataset]] {section.name}: reader {section.reader} needs annotations = "FOLDER".')
    return section.annotations


def _table(section: DatasetSection) -> Reader:
    from data_manifests.readers.table import TableReader, parse_files

    if not section.files:
        raise UsageError(f'[[dataset]] {section.name}: reader table needs files = ["train=clips.csv"].')
    tables = parse_files(section.files)
    class_files = {label: file for label, file in (("noun", section.nouns), ("verb", section.verbs)) if file}
    return TableReader(tables, section.columns, section.videos or [tables[0][0].parent], class_files)  # type: ignore[arg-type]
