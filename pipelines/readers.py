"""The reader that a ``[[dataset]]`` section of ``xmic.toml`` names."""

from __future__ import annotations

from pathlib import Path

from data_manifests.errors import UsageError
from data_manifests.readers import Reader
from pipelines.config import DatasetSection


def reader_of(section: DatasetSection) -> Reader:
    """Build it.

    Raises:
        UsageError: a key the reader needs is missing, or one is given that it does not take.
    """
    _refuse_foreign_keys(section)
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


_OWN_KEYS = {
    "table": ("files", "columns", "nouns", "verbs"),
    "epic": ("annotations", "patterns"),
    "ego4d": ("annotations", "patterns", "preset", "window"),
    "egtea": ("annotations", "patterns", "drop_empty_class"),
}


def _refuse_foreign_keys(section: DatasetSection) -> None:
    some = {key for keys in _OWN_KEYS.values() for key in keys}
    given = {key for key in some if getattr(section, key) != DatasetSection.model_fields[key].default}
    foreign = sorted(given - set(_OWN_KEYS[section.reader]))
    if foreign:
        raise UsageError(
            f"[[dataset]] {section.name}: reader {section.reader} takes no {foreign[0]}; "
            f"it takes {', '.join(_OWN_KEYS[section.reader])}."
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
