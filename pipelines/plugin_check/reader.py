"""Try the promises of a dataset reader on the user's annotation files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_manifests.readers import Reader, SplitRows, VideoFacts
from data_manifests.schema import CLASSES, CLIPS, LABELS, REJECT_REASONS, REJECTS, SPLITS
from data_manifests.videos import is_safe_relative
from pipelines.chain.readers import own_reader
from pipelines.plugin_check.promise import Promise, expect, expect_folder_name, expect_plain


def promises(spec: str, annotations: Path | None = None, settings: Mapping[str, Any] | None = None) -> list[Promise]:
    """List the promises of a reader, with their trials.

    The arguments are those of :func:`pipelines.chain.readers.own_reader`.

    Raises:
        UsageError: the reader cannot be built, or lacks a part.
    """
    trial = _Trial(own_reader(spec, annotations, settings))
    return [
        Promise("says its name and its parameters in plain values", trial.says_what_it_is),
        Promise("finds splits: train, val or test", trial.finds_splits, True),
        Promise("names files that are there", trial.names_files),
        Promise("lists classes in the schema, ids 0 to C-1 in order", trial.lists_classes, True),
        Promise("reads clips, rejects and origins in their schemas", trial.reads_rows, True),
        Promise(
            "gives each clip an id of its own, a video, a positive length and classes that there are", trial.valid_rows
        ),
        Promise("gives reasons for rejects that are known", trial.gives_reasons),
        Promise("places each video below the roots", trial.places_videos),
        Promise("reads the same rows again", trial.is_repeatable),
    ]


class _Trial:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def says_what_it_is(self) -> None:
        expect_folder_name(self._reader.name, "name")
        expect_plain(self._reader.parameters, "parameters")

    def finds_splits(self) -> None:
        found = self._reader.splits()
        expect(found and set(found) <= set(SPLITS), f"splits are {found}; expected some of {', '.join(SPLITS)}")

    def names_files(self) -> None:
        for split in self._reader.splits():
            files = self._reader.files(split)
            expect(files, f"no file for {split}: their contents are part of the manifest's key")
            lacking = [str(file) for file in files if not Path(file).is_file()]
            expect(not lacking, f"{split}: {lacking[:1]} is no file")

    def lists_classes(self) -> None:
        found = self._reader.classes()
        expect(set(found) == set(LABELS), f"classes of {sorted(found)}; expected of noun and of verb")
        for label, table in found.items():
            expect(table.schema.equals(CLASSES), f"{label}: other columns than data_manifests.schema.CLASSES")
            expect(table.column("class_id").to_pylist() == list(range(table.num_rows)), f"{label}: ids out of order")

    @cached_property
    def _rows(self) -> dict[str, SplitRows]:
        return {split: self._reader.read(split) for split in self._reader.splits()}

    def reads_rows(self) -> None:
        for split, rows in self._rows.items():
            expect(rows.clips.schema.equals(CLIPS), f"{split}: other columns than data_manifests.schema.CLIPS")
            expect(rows.rejects.schema.equals(REJECTS), f"{split}: other columns than data_manifests.schema.REJECTS")
            expect(
                len(rows.origins) == rows.clips.num_rows,
                f"{split}: {len(rows.origins)} origins for {rows.clips.num_rows} clips",
            )
        expect(any(rows.clips.num_rows for rows in self._rows.values()), "no split has a clip")

    def valid_rows(self) -> None:
        counts = {label: table.num_rows for label, table in self._reader.classes().items()}
        for split, rows in self._rows.items():
            clips = rows.clips
            for name in ("clip_id", "video_id", "recording_id"):
                expect(not clips.column(name).null_count, f"{split}: a clip has no {name}")
            expect(
                pc.count_distinct(clips.column("clip_id")).as_py() == clips.num_rows, f"{split}: a clip id comes twice"
            )
            for row in clips.select(["clip_id", "start_s", "stop_s", "start_frame"]).to_pylist():
                start, stop = row["start_s"], row["stop_s"]
                expect(
                    row["start_frame"] is not None or (start is not None and start >= 0),
                    f"{split} {row['clip_id']}: it starts at {start} s",
                )
                expect(stop is None or start is None or stop > start, f"{split} {row['clip_id']}: {start} to {stop} s")
            for label, count in counts.items():
                used = pc.unique(clips.column(f"{label}_class").drop_null()).to_pylist()
                outside = [value for value in used if not 0 <= value < count]
                expect(not outside, f"{split}: {label} class {outside[:1]}, of {count} classes")

    def gives_reasons(self) -> None:
        for split, rows in self._rows.items():
            reasons = set(rows.rejects.column("reason").to_pylist()) - set(REJECT_REASONS)
            expect(not reasons, f"{split}: {sorted(map(str, reasons))}; known are {', '.join(REJECT_REASONS)}")

    def places_videos(self) -> None:
        for split, rows in self._rows.items():
            for video in dict.fromkeys(rows.clips.column("video_id").to_pylist()):
                places = self._reader.video_places(video)
                expect(places, f"{split}: no place for video {video}")
                leaving = [place.path for place in places if not is_safe_relative(place.path)]
                expect(not leaving, f"{split}: video {video} would lie at {leaving[:1]}")
                expect(isinstance(self._reader.video_facts(video), VideoFacts), f"no VideoFacts of video {video}")

    def is_repeatable(self) -> None:
        for split, rows in self._rows.items():
            again = self._reader.read(split)
            same = pa.Table.equals(again.clips, rows.clips) and pa.Table.equals(again.rejects, rows.rejects)
            expect(same, f"{split}: other rows the second time")
