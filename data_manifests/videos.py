"""Find a video under the user's roots, without ever leaving them."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from data_manifests.errors import InputError, UsageError
from data_manifests.remote.errors import RemoteError
from data_manifests.remote.path import RemotePath, names_in
from data_manifests.remote.stores import list_folder

Kind = Literal["video", "chunks", "frames", "tar"]
"""Form of a video on disk.

'video' is one file. 'chunks' is a folder of files cut from the video, each named by its start in seconds (``0.mp4``,
``300.mp4``, …). 'frames' is a folder of JPEGs or PNGs with their numbers in their names. 'tar' is an uncompressed
tar of such pictures."""

CHUNK = re.compile(r"(\d+)\.(mp4|mkv|webm|mov|avi)", re.IGNORECASE)
"""A file of a chunk folder: its start in seconds."""

_VIDEO_NAME = re.compile(r".*\.(mp4|m4v|mkv|webm|mov|avi)", re.IGNORECASE)

PICTURE = re.compile(r"(.*\D)?(\d+)\.(?:jpe?g|png)", re.IGNORECASE)
"""A numbered picture, ``frame_0000000001.jpg`` or ``img_00001.png``: the last number of the name counts."""


@dataclass(frozen=True)
class Place:
    """Possible location of a video below a video root.

    Attributes:
        path: relative to a video root, '/' separators; the case of a file's ending and the Unicode form of a name do
            not matter.
        offset_s: second of that file at which the video begins; an Ego4D clip is a part of its full-scale video.
    """

    path: str
    offset_s: float = 0.0


@dataclass(frozen=True)
class FoundVideo:
    """Location and form of a video that was found.

    Attributes:
        root: the video root.
        relative: path relative to the root.
        kind: form of the video (:data:`Kind`).
        offset_s: second of the file at which the video begins.
    """

    root: Path
    relative: str
    kind: Kind
    offset_s: float = 0.0

    @property
    def path(self) -> Path:
        """Path of the file or folder."""
        return self.root / self.relative


class LeavesRoots(InputError):
    """Error when a video is only a link out of all roots."""


def is_video_name(path: str) -> bool:
    """Check whether a path ends as the name of a video file."""
    return _VIDEO_NAME.fullmatch(path) is not None


def is_safe_relative(path: str) -> bool:
    """Check that a path stays below the folder it is joined to.

    The path is from an annotation file.
    """
    pure = PurePosixPath(path.replace("\\", "/"))
    drive = len(path) > 1 and path[1] == ":"
    return bool(path) and "\x00" not in path and not pure.is_absolute() and not drive and ".." not in pure.parts


class VideoFinder:
    """Finder of videos under the video roots.

    Each folder is listed once, however many videos are looked up.

    Args:
        roots: absolute folders, in order of preference.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = list(roots)
        self._resolved = [root.resolve() for root in roots]
        self._listings: dict[Path, dict[str, str]] = {}
        self._places: dict[Path, Path] = {}

    def find(self, places: Iterable[Place]) -> FoundVideo | None:
        """Find the first of the places that exists under the roots.

        The roots are searched in their order, and within a root the places in theirs: the first root that has one wins.

        Returns:
            The video; None when no root has it.

        Raises:
            LeavesRoots: the only hits are links that lead out of every root.
        """
        candidates = list(places)
        outside: Path | None = None
        for root in self._roots:
            for place in candidates:
                relative = self._actual(root, place.path)
                kind = kind_of(root / relative) if relative else None
                if relative is None or kind is None:
                    continue
                if self._stays_inside(root / relative):
                    return FoundVideo(root, relative, kind, place.offset_s)
                outside = outside or root / relative
        if outside is not None:
            raise LeavesRoots(
                f"{outside} is a link to {outside.resolve()}, outside the video roots; "
                "if that is meant, name the folder it leads to with another --videos"
            )
        return None

    def _actual(self, root: Path, path: str) -> str | None:
        pure = PurePosixPath(path)
        parent: str | None = str(pure.parent)
        if not path.isascii() and pure.parent.name and not (root / pure.parent).is_dir():
            parent = self._actual(root, str(pure.parent))  # the folder in another Unicode form
        if parent is None:
            return None
        if isinstance(root, RemotePath) and list_folder(str(root / parent)) is None:
            return path if (root / path).is_file() else None  # a web server lists nothing: ask for the exact name
        names = self._listing(root / parent)
        name = names.get(_key(pure.name)) or names.get(_key(unicodedata.normalize("NFC", pure.name)))
        return str(PurePosixPath(parent) / name) if name is not None else None

    def _listing(self, folder: Path) -> dict[str, str]:
        if folder not in self._listings:
            names: dict[str, str] = {}
            try:
                found = sorted(names_in(folder), reverse=True)
                for name in found:
                    names[_key(unicodedata.normalize("NFC", name))] = name
                names |= {_key(name): name for name in found}
            except RemoteError:
                raise
            except (OSError, ValueError):
                names = {}  # no such folder here: the video may be elsewhere
            self._listings[folder] = names
        return self._listings[folder]

    def _stays_inside(self, path: Path) -> bool:
        if path.parent not in self._places:
            self._places[path.parent] = path.parent.resolve()
        place = self._places[path.parent] / path.name
        place = place.resolve() if place.is_symlink() else place
        return any(place.is_relative_to(root) for root in self._resolved)


def _key(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f"{stem}{dot}{ending.lower()}" if dot else name


def kind_of(path: Path) -> Kind | None:
    """Return the form of a video by its path, or None.

    A file is judged by its name, a folder by the names in it. Chunks beside PNGs are chunks. None means that the path
    is no video.
    """
    if path.is_file():
        return "tar" if path.suffix.lower() == ".tar" else "video"
    if not path.is_dir():
        return None
    found: Kind | None = None
    for name in (name for name in names_in(path) if not is_hidden(name)):
        if PICTURE.fullmatch(name):
            if not name.lower().endswith("png"):
                return "frames"
            found = found or "frames"
        elif CHUNK.fullmatch(name):
            found = "chunks"
    return found


def is_hidden(name: str) -> bool:
    """Check whether a name is that of a hidden file.

    Such as ``.DS_Store``, ``._frame_1.jpg`` and ``__MACOSX``.
    """
    return name == "__MACOSX" or (name.startswith(".") and name not in (".", ".."))


def check_patterns(patterns: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Check path patterns such as ``{participant_id}/videos/{video_id}.mp4``.

    Args:
        patterns: paths below a video root with placeholders in braces.
        known: the placeholders that may occur.

    Raises:
        UsageError: a pattern has no or an unknown placeholder, or leaves the video root.
    """
    for pattern in patterns:
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        except ValueError as error:
            raise UsageError(f"--pattern {pattern}: {error}") from None
        if not names or not names <= set(known):
            raise UsageError(
                f"--pattern {pattern}: expected a path below a video root with {' or '.join(f'{{{n}}}' for n in known)}"
            )
        if not is_safe_relative(pattern):
            raise UsageError(f"--pattern {pattern}: expected a path that stays below the video root")
    return tuple(patterns)
