"""Finding a video under the user's roots, without ever leaving them."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class FoundVideo:
    """A video file: the root it was found under and its path relative to that root."""

    root: Path
    relative: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / self.relative


def is_safe_relative(path: str) -> bool:
    """True when a path from an annotation file stays below the folder it is joined to."""
    pure = PurePosixPath(path.replace("\\", "/"))
    drive = len(path) > 1 and path[1] == ":"
    return bool(path) and "\x00" not in path and not pure.is_absolute() and not drive and ".." not in pure.parts


def find_video(candidates: Iterable[str], roots: Sequence[Path]) -> FoundVideo | None:
    """The first existing file among ``candidates``, root by root: the first root that has one wins.

    A file whose real place, links followed, is outside its root does not count as found, unless the
    root itself is reached through that link.

    Args:
        candidates: paths relative to a root, in order of preference.
        roots: absolute folders, in order of preference.
    """
    names = list(candidates)
    for root in roots:
        for name in names:
            file = root / name
            try:
                if file.is_file() and file.resolve().is_relative_to(root.resolve()):
                    return FoundVideo(root, name)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:  # such a file cannot be there; one row must not end the run
                    raise
    return None
