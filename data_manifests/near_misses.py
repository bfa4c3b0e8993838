"""Find what lies at a video's place in another form than expected.

A message must not say that something is not there when it is, under another ending or in other letters.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from data_manifests.remote.path import RemotePath
from data_manifests.videos import Place, is_hidden, kind_of

_ENDINGS = (
    ".mp4 .mkv .webm .mov .avi .m4v .ts .mts .m2ts .mpg .mpeg .flv .wmv .3gp .ogv .gif .h264 .h265 .hevc "
    ".tar .gz .tgz .zip .rar .7z .part .crdownload"
).split()
_SHOWN_ENTRIES = 1000


class NearMisses:
    """Finder of what lies near the places of missing videos.

    Each folder is listed once, however many videos are looked up.

    Args:
        roots: absolute video roots.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        # What lies beside is said of folders on disk only.
        self._roots = [root for root in roots if not isinstance(root, RemotePath)]
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def find(self, places: Iterable[Place]) -> str | None:
        """Describe the first thing that lies near one of the places.

        Returns:
            What is there and what is wrong with it, in words; None when there is nothing.
        """
        candidates = list(places)
        for root in self._roots:
            for place in candidates:
                path = root / place.path
                if path.is_dir():
                    return None if kind_of(path) else describe_folder(path)
                for name in self._listing(path.parent).get(_plain(path.name), []):
                    if name != path.name:
                        return f"{path.parent / name} is there, but {_difference(name, PurePosixPath(place.path).name)}"
        return None

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        """List a folder: plain form of a name → the names."""
        if folder not in self._listings:
            names: dict[str, list[str]] = {}
            try:
                with os.scandir(folder) as entries:
                    for name in sorted(entry.name for entry in entries if not is_hidden(entry.name)):
                        names.setdefault(_plain(name), []).append(name)
            except (OSError, ValueError):
                names = {}
            self._listings[folder] = names
        return self._listings[folder]


def describe_folder(folder: Path) -> str:
    """Describe a folder that is expected to hold a video."""
    with os.scandir(folder) as entries:
        there = [entry for entry in islice(entries, _SHOWN_ENTRIES) if not is_hidden(entry.name)]
    inner = sorted(entry.name for entry in there if entry.is_dir() and kind_of(Path(entry.path)))
    if inner:
        return (
            f"{folder} is a folder without numbered pictures of its own; those in its folder {inner[0]} are read when "
            "that folder is named as the video"
        )
    endings = Counter(PurePosixPath(entry.name).suffix or "no ending" for entry in there if entry.is_file())
    held = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(3)) or "nothing"
    return (
        f"{folder} is a folder without numbered JPEGs or PNGs (it holds {held}); expected names such as "
        "frame_0000000001.jpg, or 0.mp4, 300.mp4, … for a video in parts"
    )


def _plain(name: str) -> str:
    """Return a name without its ending, its letter case and its Unicode form."""
    folded = unicodedata.normalize("NFC", name).casefold()
    while ending := next((each for each in _ENDINGS if folded.endswith(each)), None):
        folded = folded.removesuffix(ending)  # an unfinished download has two
    return unicodedata.normalize("NFC", folded)


def _difference(found: str, expected: str) -> str:
    if unicodedata.normalize("NFC", found).casefold() == unicodedata.normalize("NFC", expected).casefold():
        return f"in other letters than {expected}"
    return f"its ending is not that of {expected}"
