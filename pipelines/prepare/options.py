"""Options of ``xmic prepare`` and of ``[[dataset]]``, one dataclass per reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from data_manifests.errors import UsageError
from pipelines.engine.options import Argument, Doc, Flag, Group, Metavar, Options, Pairs
from pipelines.engine.run_policy import parse_max_failures

_VIDEOS = Group("Videos")


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(Options):
    """What every reader takes."""

    name: Annotated[str, Doc("Name in the workspace.")]
    videos: Annotated[tuple[Path, ...], _VIDEOS, Doc("Folder with the videos; may be repeated, first hit wins.")] = ()
    split: Annotated[tuple[str, ...], Doc("train, val or test; may be repeated. (default: those with a file)")] = ()
    limit: Annotated[int | None, Ge(1), Doc("Keep only the first N clips of a split.")] = None
    max_failures: Annotated[
        str,
        Metavar("N|P%"),
        Group("Which shards"),
        Doc("Rejected rows allowed before the command exits 4."),
    ] = "50%"

    def check(self) -> None:
        """Refuse an unknown split, and a number of failures that is none."""
        from data_manifests.schema import canonical_split

        parse_max_failures(self.max_failures)
        for split in self.split:
            canonical_split(split)


@dataclass(frozen=True, kw_only=True)
class _Official(PrepareOptions):
    pattern: Annotated[
        tuple[str, ...],
        _VIDEOS,
        Doc("Where a video lies below a root, instead of the known trees; may be repeated."),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class EpicOptions(_Official):
    """EPIC-KITCHENS-100."""

    name: Annotated[str, Doc("Name in the workspace.")] = "epic"
    annotations: Annotated[Path, Doc("Folder with EPIC_100_train.csv, EPIC_100_validation.csv, …")]


@dataclass(frozen=True, kw_only=True)
class Ego4dOptions(_Official):
    """Ego4D FHO."""

    name: Annotated[str, Doc("Name in the workspace.")] = "ego4d"
    annotations: Annotated[Path, Doc("Folder with fho_lta_train.json, …, fho_lta_taxonomy.json.")]
    preset: Annotated[
        Literal["official", "paper"] | None,
        Doc("official: the central 4 s of each segment; paper: all 8 s. (default: official)"),
    ] = None
    window: Annotated[
        float | None, Gt(0), Metavar("SECONDS"), Doc("Another central window, the same for every split.")
    ] = None

    def check(self) -> None:
        """Refuse two windows."""
        super().check()
        if self.preset is not None and self.window is not None:
            raise UsageError(f"--preset {self.preset} --window {self.window}: expected one of the two")


@dataclass(frozen=True, kw_only=True)
class EgteaOptions(_Official):
    """EGTEA Gaze+."""

    name: Annotated[str, Doc("Name in the workspace.")] = "egtea"
    annotations: Annotated[Path, Doc("Folder with train_split1.txt, …, verb_idx.txt, noun_idx.txt.")]
    drop_empty_class: Annotated[bool, Doc("53 nouns and 19 verbs, without the empty class of code and paper.")] = False


@dataclass(frozen=True, kw_only=True)
class TableOptions(PrepareOptions):
    """A table of one's own."""

    files: Annotated[
        tuple[str, ...],
        Argument(),
        Metavar("[SPLIT=]FILE…"),
        Doc("CSV, Parquet or JSON lines; train=FILE sets its split."),
    ]
    column: Annotated[
        Mapping[str, str],
        Pairs("OURS=THEIRS", "video=path"),
        Doc("Map a column, e.g. video=path; noun= if it has no nouns; may be repeated."),
    ] = field(default_factory=dict)
    nouns: Annotated[Path | None, Doc("Noun classes, one a line. (default: those in the data)")] = None
    verbs: Annotated[Path | None, Doc("Verb classes, one a line. (default: those in the data)")] = None

    def check(self) -> None:
        """Refuse no table at all, an unknown split before one, and a table without videos."""
        from data_manifests.readers.table import parse_files

        super().check()
        if not self.files:
            raise UsageError('files is empty: expected one table or more, e.g. ["train=clips.csv"]')
        parse_files(self.files)
        if self.column.get("video") == "":
            raise UsageError("--column video=: expected OURS=THEIRS, for instance video=path")


@dataclass(frozen=True, kw_only=True)
class OwnOptions(PrepareOptions):
    """A reader of one's own."""

    reader: Annotated[str, Metavar("PACKAGE.MODULE:CLASS"), Doc("Your reader; see xmic check-plugin.")]
    annotations: Annotated[
        Path | None, Doc("Given to the reader as its argument annotations. (default: not given)")
    ] = None
    set: Annotated[
        Mapping[str, Any],
        Flag("--set"),
        Pairs("KEY=VALUE", "epochs=5", typed=True),
        Doc("Another argument of the reader, written as in TOML (4.0, true, [1, 2]), else a text; may be repeated."),
    ] = field(default_factory=dict)
