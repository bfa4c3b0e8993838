"""Options of ``xmic prepare`` and of ``[[dataset]]``, one dataclass per reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from data_manifests.errors import UsageError
from pipelines.engine.options import Argument, Completes, Doc, Flag, Group, Metavar, Options, Pairs, Remote
from pipelines.engine.run_policy import parse_max_failures

_VIDEOS, _HOLDOUT = Group("Videos"), Group("Splits")


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(Options):
    """Options of every reader."""

    name: Annotated[str, Doc("Name in the workspace.")]
    videos: Annotated[
        tuple[Path, ...], Remote(), _VIDEOS, Doc("Folder with the videos; may be repeated, the first match is taken.")
    ] = ()
    split: Annotated[
        tuple[str, ...], Completes("splits"), Doc("train, val or test; may be repeated. (default: those with a file)")
    ] = ()
    limit: Annotated[int | None, Ge(1), Doc("Keep only the first N clips of a split.")] = None
    max_failures: Annotated[
        str,
        Metavar("N|P%"),
        Group("Which shards"),
        Doc("Rejected rows allowed before the command exits 4."),
    ] = "50%"

    def check(self) -> None:
        """Refuse an unknown split, and a wrong limit on failures."""
        from data_manifests.schema import canonical_split

        parse_max_failures(self.max_failures)
        for split in self.split:
            canonical_split(split)


@dataclass(frozen=True, kw_only=True)
class _Official(PrepareOptions):
    pattern: Annotated[
        tuple[str, ...],
        _VIDEOS,
        Doc("Path of a video below its folder, in place of the known layouts; may be repeated."),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class EpicOptions(_Official):
    """Options of the reader of EPIC-KITCHENS-100."""

    name: Annotated[str, Doc("Name in the workspace.")] = "epic"
    annotations: Annotated[Path, Remote(), Doc("Folder with EPIC_100_train.csv, EPIC_100_validation.csv, …")]


@dataclass(frozen=True, kw_only=True)
class Ego4dOptions(_Official):
    """Options of the reader of Ego4D FHO."""

    name: Annotated[str, Doc("Name in the workspace.")] = "ego4d"
    annotations: Annotated[Path, Remote(), Doc("Folder with fho_lta_train.json, …, fho_lta_taxonomy.json.")]
    preset: Annotated[
        Literal["official", "paper"] | None,
        Doc("official: the central 4 s of each segment; paper: all 8 s. (default: official)"),
    ] = None
    window: Annotated[
        float | None, Gt(0), Metavar("SECONDS"), Doc("Another central window, the same for every split.")
    ] = None

    def check(self) -> None:
        """Refuse a preset together with a window."""
        super().check()
        if self.preset is not None and self.window is not None:
            raise UsageError(f"--preset {self.preset} --window {self.window}: expected one of the two")


@dataclass(frozen=True, kw_only=True)
class EgteaOptions(_Official):
    """Options of the reader of EGTEA Gaze+."""

    name: Annotated[str, Doc("Name in the workspace.")] = "egtea"
    annotations: Annotated[Path, Remote(), Doc("Folder with train_split1.txt, …, verb_idx.txt, noun_idx.txt.")]
    drop_empty_class: Annotated[bool, Doc("Leave out the empty class of code and paper: 53 nouns, 19 verbs.")] = False


@dataclass(frozen=True, kw_only=True)
class TableOptions(PrepareOptions):
    """Options of the reader of the user's own table."""

    files: Annotated[
        tuple[str, ...],
        Argument(),
        Metavar("[SPLIT=]FILE…"),
        Doc("CSV, Parquet or JSON lines; train=FILE sets the split of a file."),
    ]
    column: Annotated[
        Mapping[str, str],
        Pairs("OURS=THEIRS", "video=path"),
        Doc("Map a column, e.g. video=path; noun= for a table without nouns; may be repeated."),
    ] = field(default_factory=dict)
    nouns: Annotated[Path | None, Remote(), Doc("File of noun classes, one per line. (default: those in the data)")] = (
        None
    )
    verbs: Annotated[Path | None, Remote(), Doc("File of verb classes, one per line. (default: those in the data)")] = (
        None
    )
    fps: Annotated[
        float | None,
        Gt(0),
        Doc(
            "Frames per second of the video files, for clips in frames: start_frame and stop_frame (the last frame), "
            "counted from 0, or times such as 1500f."
        ),
    ] = None
    holdout: Annotated[
        str | float | None,
        _HOLDOUT,
        Metavar("P%"),
        Doc("Hold out about this share of the clips as val, by whole recordings; all others are train."),
    ] = None
    holdout_seed: Annotated[int, Ge(0), _HOLDOUT, Doc("Seed of the choice of recordings.")] = 0

    def check(self) -> None:
        """Refuse a missing table, an unknown split, and an unnamed video column."""
        from data_manifests.readers.holdout import Holdout
        from data_manifests.readers.table import parse_files

        super().check()
        if not self.files:
            raise UsageError('files is empty: expected one table or more, e.g. ["train=clips.csv"]')
        parse_files(self.files)
        if self.holdout is not None:
            Holdout.parse(self.holdout)
        if self.column.get("video") == "":
            raise UsageError("--column video=: expected OURS=THEIRS, for instance video=path")


@dataclass(frozen=True, kw_only=True)
class OwnOptions(PrepareOptions):
    """Options of a reader of the user's own."""

    reader: Annotated[str, Metavar("PACKAGE.MODULE:CLASS"), Doc("Your reader; see xmic check-plugin.")]
    annotations: Annotated[
        Path | None, Remote(), Doc("Value of the reader's argument annotations. (default: none is passed)")
    ] = None
    set: Annotated[
        Mapping[str, Any],
        Flag("--set"),
        Pairs("KEY=VALUE", "epochs=5", typed=True),
        Doc("Another argument of the reader: a TOML value (4.0, true, [1, 2]), else a text; may be repeated."),
    ] = field(default_factory=dict)
