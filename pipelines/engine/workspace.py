"""Open a workspace, find its artifacts, keep its settings in ``workspace.toml``.

A workspace is one folder with every artifact. Only ``workspace.toml`` holds absolute paths, and no part of it is
hashed. So a workspace can be moved, and its video roots changed.
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from glob import escape
from pathlib import Path
from typing import Any

from data_manifests.errors import InputError, MissingUpstream
from data_manifests.remote.access import current
from data_manifests.remote.path import is_remote, path_of
from data_manifests.schema import SPLITS, canonical_split
from pipelines.engine.atomic import replace_atomically
from pipelines.engine.digest import FileDigests
from pipelines.engine.file_memory import FileMemory
from pipelines.engine.folder_names import EXPECTED, is_folder_name, require_folder_names
from pipelines.engine.locks import exclusive_lock
from pipelines.engine.shards import DAMAGED

SETTINGS = "workspace.toml"
_LAYOUT = 1


def subfolders(folder: Path) -> list[Path]:
    """List the subfolders of a folder by name; none where missing."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):  # also where another process removes it just now
        return []


@dataclass(frozen=True)
class DatasetSettings:
    """Settings of a dataset in ``workspace.toml``.

    Attributes:
        reader: the reader that made its manifests.
        roots: absolute video roots; the first that has a video is used.
        groups: number of buckets that share the videos without a group of their own. The first prepare fixes it, since
            it decides which shard holds which video.
    """

    reader: str
    roots: tuple[str, ...]
    groups: int


@dataclass
class Workspace:
    """Paths and settings of one workspace folder."""

    root: Path
    datasets: dict[str, DatasetSettings] = field(default_factory=dict)
    precision: dict[str, str] = field(default_factory=dict)
    """Device type → precision that ``--precision auto`` was resolved to at its first use."""
    encoders: dict[str, str] = field(default_factory=dict)
    """Folder name of an encoder → its spec with the paths of its files, where it has any."""

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open a workspace; a missing folder is an empty workspace.

        Raises:
            InputError: ``workspace.toml`` is not TOML, has another layout, or lacks an entry of a dataset.
        """
        file = root / SETTINGS
        if not file.is_file():
            return cls(root)
        try:
            stored = tomllib.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}: not valid TOML ({error})") from None
        if stored.get("layout") != _LAYOUT:
            raise InputError(
                f"{file}: layout {stored.get('layout')!r}, this xmic reads layout {_LAYOUT}. "
                "Use the xmic that made it, or another folder with -w."
            )
        datasets = {name: _dataset(file, name, entry) for name, entry in _texts_or_tables(file, stored, "datasets")}
        precision, encoders = (dict(_texts_or_tables(file, stored, name, str)) for name in ("precision", "encoders"))
        return cls(root, datasets, precision, encoders)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Lock ``workspace.toml``, and write it when the block ends.

        Change entries inside the block. Other processes wait for the lock, and their earlier changes are kept.

        Raises:
            InputError: as :meth:`open`.
        """
        with exclusive_lock(self.root / SETTINGS):
            now = Workspace.open(self.root)
            self.datasets = {**self.datasets, **now.datasets}
            self.precision = {**self.precision, **now.precision}
            self.encoders = {**self.encoders, **now.encoders}
            yield
            self._save()

    def _save(self) -> None:
        lines = [f"layout = {_LAYOUT}", ""]
        if self.precision:
            lines += ["[precision]", *(f"{k} = {_toml(v)}" for k, v in sorted(self.precision.items())), ""]
        if self.encoders:
            lines += ["[encoders]", *(f"{_toml(k)} = {_toml(v)}" for k, v in sorted(self.encoders.items())), ""]
        for name, entry in sorted(self.datasets.items()):
            lines.append(f"[datasets.{_toml(name)}]")
            lines += [f"{k} = {_toml(v)}" for k, v in vars(entry).items()]
            lines.append("")
        with replace_atomically(self.root / SETTINGS) as temporary:
            temporary.write_text("\n".join(lines), encoding="utf-8")

    def remember_encoder(self, slug: str, spec: str) -> None:
        """Keep the paths of an encoder's files for later commands.

        Args:
            slug: folder name of the encoder.
            spec: spec with absolute paths; see :attr:`pipelines.embed.encoders.spec.ModelSpec.located`.
        """
        if self.encoders.get(slug) != spec:
            with self.changing():
                self.encoders[slug] = spec

    # Read once: reading these files again for each video made planning quadratic. Entries of this process are known at
    # once. A line that another process appends later stays unseen, and costs one more look at that one file. An entry
    # holds for a path with its size and time, which are read again at each call, so an old entry is never wrong.
    @cached_property
    def file_digests(self) -> FileDigests:
        """Kept digests of files outside the workspace (videos, weights)."""
        return FileDigests(FileMemory(self.cache("file-digests.jsonl")))

    @cached_property
    def probes(self) -> FileMemory:
        """Kept facts from the ends of videos, for ``prepare --check``."""
        return FileMemory(self.cache("probes.jsonl"))

    @property
    def manifests(self) -> Path:
        """Folder of all manifests, one folder per dataset."""
        return self.root / "manifests"

    def manifest(self, dataset: str, split: str) -> Path:
        """Return the folder of a split's manifest."""
        require_folder_names(dataset, split)
        return self.manifests / dataset / split

    def clips_file(self, dataset: str, split: str) -> Path:
        """Return the file of a split's clips; see :mod:`pipelines.engine.clips`."""
        return self.manifest(dataset, split) / "clips.parquet"

    def videos_file(self, dataset: str, split: str) -> Path:
        """Return the file of a split's videos."""
        return self.manifest(dataset, split) / "videos.parquet"

    def classes_file(self, dataset: str, label: str) -> Path:
        """Return the file of a dataset's classes; ``label`` is 'noun' or 'verb'."""
        require_folder_names(dataset, label)
        return self.manifests / dataset / f"classes_{label}.parquet"

    def frames(self, dataset: str, split: str, plan: str = "") -> Path:
        """Return the folder of a split's frames.

        Without ``plan`` it is the folder of all frame plans.
        """
        require_folder_names(dataset, split, plan)
        return self.root / "frames" / dataset / split / plan

    def hands(self, dataset: str, split: str, plan: str, detector: str = "") -> Path:
        """Return the folder of a detector's boxes.

        Without ``detector`` it is the folder of all detectors.
        """
        require_folder_names(dataset, split, plan, detector)
        return self.root / "hands" / dataset / split / plan / detector

    def embeddings(self, dataset: str, split: str, plan: str, encoder: str = "", stream: str = "") -> Path:
        """Return the folder of a stream's vectors.

        Without ``stream`` it is the folder of all streams of an encoder; without ``encoder`` that of all encoders.
        """
        require_folder_names(dataset, split, plan, encoder, stream)
        return self.root / "embeddings" / dataset / split / plan / encoder / stream

    def text(self, dataset: str, encoder: str) -> Path:
        """Return the folder of a dataset's class-name vectors by an encoder."""
        require_folder_names(dataset, encoder)
        return self.root / "text" / dataset / encoder

    def boxes_by(self, detector: str) -> list[Path]:
        """List the folders of a detector's boxes over all datasets.

        There is one per split and frame plan.
        """
        return self._matching(self.hands("*", "*", "*", escape(detector)))

    def vectors_by(self, encoder: str, dataset: str) -> list[Path]:
        """List the folders of an encoder's vectors of a dataset.

        There is one per split, frame plan and stream.
        """
        return self._matching(self.embeddings(escape(dataset), "*", "*", escape(encoder), "*"))

    def hand_vectors(self, dataset: str, split: str, plan: str, detector: str) -> list[Path]:
        """List the folders of vectors of a detector's hand crops.

        There is one per encoder and crop policy.
        """
        stream = f"hand-{escape(detector)}-*"
        return self._matching(self.embeddings(escape(dataset), escape(split), escape(plan), "*", stream))

    def detectors(self) -> dict[str, set[str]]:
        """List the detectors of each dataset that has boxes, by folder name."""
        found: dict[str, set[str]] = {}
        for folder in self._matching(self.hands("*", "*", "*", "*")):
            found.setdefault(folder.relative_to(self.root).parts[1], set()).add(folder.name)
        return found

    def split_folders(self) -> list[Path]:
        """List the folders of frames, boxes and vectors of all splits.

        Splits that are not prepared count too.
        """
        rooms = (self.frames("*", "*"), self.hands("*", "*", ""), self.embeddings("*", "*", ""))
        return [folder for room in rooms for folder in self._matching(room) if folder.is_dir()]

    def text_folders(self) -> list[Path]:
        """List the folders of class-name vectors, one per dataset."""
        return [folder for folder in self._matching(self.text("*", "")) if folder.is_dir()]

    def texts(self) -> list[Path]:
        """List the files of class-name vectors of all datasets and encoders."""
        return self._matching(self.text("*", "*") / "*.parquet")

    def _matching(self, pattern: Path) -> list[Path]:
        return sorted(self.root.glob(pattern.relative_to(self.root).as_posix()))

    @property
    def runs(self) -> Path:
        """Folder of all runs; ``latest`` in it points to the newest one."""
        return self.root / "runs"

    def run(self, name: str) -> Path:
        """Return the folder of a run."""
        require_folder_names(name)
        return self.runs / name

    def run_named(self, name: str) -> Path | None:
        """Return the folder of the run that a file of numbers names.

        The file may be somebody else's: a name that can be no folder's names no run of this workspace.
        """
        return self.run(name) if is_folder_name(name) else None

    def run_folders(self) -> list[Path]:
        """List the folders of all runs, by name."""
        return [run for run in subfolders(self.runs) if not run.is_symlink()]

    def tracking(self, tracker: str) -> Path:
        """Return the folder of an experiment tracker's files."""
        return self.root / "tracking" / tracker

    @property
    def evaluations(self) -> Path:
        """Folder of all evaluations."""
        return self.root / "evaluations"

    def evaluation(self, name: str, dataset: str, split: str) -> Path:
        """Return the folder of an evaluation.

        ``name`` is that of a run, a control or a scored model.
        """
        require_folder_names(name, dataset, split)
        return self.evaluations / name / f"{dataset}-{split}"

    def report(self, name: str) -> Path:
        """Return the folder of a report."""
        return self.root / "reports" / name

    def look(self, dataset: str) -> Path:
        """Return the folder of the page that shows a dataset."""
        return self.report(f"look-{dataset}")

    def cache(self, kind: str, key: str = "") -> Path:
        """Return the path of a cache entry, which can be remade."""
        return self.root / "cache" / kind / key

    @property
    def scratch(self) -> Path:
        """Folder of the temporary files of running stages."""
        return self.root / "tmp"

    def splits(self, dataset: str) -> list[str]:
        """List a dataset's prepared splits, in the order train, val, test."""
        return [split for split in SPLITS if self.clips_file(dataset, split).is_file()]

    def evaluation_split(self, dataset: str, split: str | None = None) -> str | None:
        """Choose the split to evaluate on; None when it is not prepared.

        It is the named split; without a name, val, or test where val is not prepared.
        """
        there = self.splits(dataset)
        return next((name for name in ([split] if split else ["val", "test"]) if name in there), None)

    def prepared(self) -> list[tuple[str, str]]:
        """List all prepared (dataset, split) pairs."""
        names = [folder.name for folder in subfolders(self.manifests)]
        return [(name, split) for name in names for split in self.splits(name)]

    def damaged_splits(self) -> list[tuple[str, str]]:
        """List the (dataset, split) pairs whose clips are damaged.

        They were set aside, and the split is not prepared again.
        """
        there = sorted(self.manifests.glob(f"*/*/{self.clips_file('', '').name}{DAMAGED}"))
        pairs = [(file.parent.parent.name, file.parent.name) for file in there]
        return [pair for pair in pairs if not self.clips_file(*pair).is_file()]

    def choose(self, dataset: str | None, splits: Iterable[str] | None = None) -> list[tuple[str, str]]:
        """Choose the prepared (dataset, split) pairs of a command.

        Args:
            dataset: name of a dataset; None for all.
            splits: names of splits; None for all.

        Raises:
            MissingUpstream: no dataset is prepared, or none of the chosen ones.
            InputError: the clips of one of the chosen splits are damaged.
        """
        wanted = {canonical_split(split) for split in splits} if splits else set(SPLITS)
        for name, split in self.damaged_splits():
            if dataset in (None, name) and split in wanted:
                raise InputError(
                    f"{self.clips_file(name, split)}: the clips of {name} {split} were found damaged and set aside. "
                    f"Run the same xmic prepare again for {name}: equal clips keep everything that was made from them."
                )
        everything = self.prepared()
        if not everything:
            raise MissingUpstream(
                f"{self.root}: no dataset is prepared in this workspace. Run xmic prepare first (xmic prepare --help), "
                "or name another workspace with -w."
            )
        chosen = [pair for pair in everything if dataset in (None, pair[0]) and pair[1] in wanted]
        if not chosen:
            known = ", ".join(f"{name} ({split})" for name, split in everything)
            asked = dataset or "any dataset"
            raise MissingUpstream(
                f"{self.root}: {asked} has no prepared split among {', '.join(sorted(wanted))}. "
                f"Prepared: {known}. Run xmic prepare for it."
            )
        return chosen

    def find_video(self, dataset: str, relative: str) -> Path | None:
        """Find a video of the manifest under the dataset's roots.

        The search runs at each call, since roots may change after prepare. Without network a remote root has nothing,
        like a disk that is not mounted.

        Returns:
            The path under the first root that has the video; None where no root has it.
        """
        roots = [path_of(root) for root in self.datasets[dataset].roots]
        if current().offline:
            roots = [root for root in roots if not is_remote(root)]
        # macOS, archives and network disks change the Unicode form of a name.
        forms = [relative]
        if not relative.isascii():
            forms += [unicodedata.normalize(form, relative) for form in ("NFC", "NFD")]
        return next((root / form for root in roots for form in forms if (root / form).exists()), None)

    def groups(self, dataset: str) -> int:
        """Return the number of buckets of a dataset.

        Raises:
            MissingUpstream: the dataset was never prepared in this workspace.
        """
        if dataset not in self.datasets:
            raise MissingUpstream(f"{self.root}: dataset {dataset} is not prepared. Run xmic prepare.")
        return self.datasets[dataset].groups


def _texts_or_tables(file: Path, stored: Mapping[str, Any], name: str, kind: type = dict) -> list[tuple[str, Any]]:
    """Return the entries of a table of ``workspace.toml``, each of one kind."""
    table = stored.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(value, kind) for value in table.values()):
        what = "texts" if kind is str else "tables"
        raise InputError(f"{file}: [{name}] is {table!r:.80}; expected a table of {what}. Put it back.")
    return list(table.items())


def _dataset(file: Path, name: str, entry: Mapping[str, Any]) -> DatasetSettings:
    place = f"[datasets.{_toml(name)}]"
    if name and not is_folder_name(name):
        raise InputError(f"{file}: {place}: expected {EXPECTED}. Put the name back.")
    try:
        reader, roots, groups = entry["reader"], entry["roots"], entry["groups"]
    except KeyError as error:
        raise InputError(f"{file}: {error} is missing in {place}. Put it back.") from None
    wrong = {
        "reader": (reader, isinstance(reader, str), "a text"),
        "roots": (roots, isinstance(roots, list) and all(isinstance(root, str) for root in roots), "a list of folders"),
        "groups": (groups, type(groups) is int and groups >= 1, "a whole number above 0"),
    }
    for key, (value, good, expected) in wrong.items():
        if not good:
            raise InputError(f"{file}: {key} is {value!r:.80} in {place}; expected {expected}. Put it back.")
    return DatasetSettings(reader, tuple(roots), groups)


def _toml(value: Any) -> str:
    # JSON strings, numbers and arrays of them are valid TOML, except for the raw DEL character.
    if isinstance(value, Mapping):
        raise TypeError("tables are written by their own header")
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
