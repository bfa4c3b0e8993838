"""Attack xmic with files that other people could make, and count what held.

    python -m tests.reliability.security --write

Every attack must end in a result or in one error that names the file. No program may run, no module that only a hostile
file names may be imported, no file outside of the workspace may be written or decoded, no small file may take much
memory, no script in a page may run, and no connection may be asked for. All inputs are made here.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_manifests.errors import XmicError
from pipelines.decode.chunk_source import ChunkSource
from pipelines.decode.jpeg_source import open_jpegs
from pipelines.decode.media_rules import MediaRules, VideoError
from pipelines.decode.plan import FramePlan
from pipelines.decode.reader import open_video
from pipelines.decode.source import StoredFrame
from pipelines.embed.vector_files import read_vectors
from pipelines.engine.clips import Clip
from tests.hostile_media import large_gif, large_jpeg, large_png, zeros_npz
from tests.pipelines.evaluate.run_folders import changed, write_run
from tests.reliability import page
from tests.reliability.fuzz_loaders import CASES
from tests.reliability.hostile_files import payloads
from tests.reliability.hostile_pages import HAVE_BROWSER, attack_pages
from tests.reliability.watch import HOSTILE_MODULE, watching
from tests.video_maker import make_video
from xmic_cli.app import run

_ROOT = Path(__file__).parents[2]
_MORE_MIB = 300

Tries = Iterator[str | None]
"""For each attack what went wrong, in words; None where it held."""


@dataclass(frozen=True)
class Attack:
    """Attacks of one kind.

    Attributes:
        name: of the kind.
        tries: makes them in a folder; ``every`` picks the share that is made, 1 for all.
    """

    name: str
    tries: Callable[[Path, int], Tries]


def loaders(folder: Path, every: int) -> Tries:
    """Give every hostile file to every loader."""
    mark = folder / "mark"
    hostile = payloads(mark)
    number = 0
    for case in CASES:
        place = folder / case.name.replace(" ", "-")
        place.mkdir()
        file = case.make(place)
        for name, content in hostile.items():
            number += 1
            if number % every:
                continue
            file.write_bytes(content)
            wrong = None
            with watching() as seen:
                try:
                    case.load(file)
                except XmicError:
                    pass
                except Exception as error:
                    wrong = f"{type(error).__name__}: {error}"
            if mark.exists() or seen:
                wrong = f"something ran: {seen[:1]}"
                mark.unlink(missing_ok=True)
            yield wrong and f"{case.name}, {name}: {wrong}"


_OUT = ("../../../../outside", "/outside", "..", "a/../../b", "a\\..\\b", "~root", "a\0b", "-w", "a\nb", "")
_PLACES = ("name", "protocol__encoder", "protocol__v2", "protocol__hands", "source__dataset", "label")


def names(folder: Path, every: int) -> Tries:
    """Name paths and modules in the configuration of somebody else's run."""
    (folder / f"{HOSTILE_MODULE}.py").write_text("raise SystemExit('imported')\n")
    sys.path.insert(0, str(folder))
    values = [{place: text} for place in _PLACES for text in _OUT]
    values += [{"method": f"{HOSTILE_MODULE}:Method"}, {"protocol__encoder": f"{HOSTILE_MODULE}:Encoder"}]
    try:
        for number, value in enumerate(values):
            if number % every:
                continue
            place = folder / f"deep/er/{number}"
            theirs = write_run(place / "theirs", changed(**value))
            (place / "v.mp4").write_bytes(b"")
            own = place / "a/b/work"
            work = ["-w", str(own)]
            before = sorted(folder.rglob("*"))
            for call in (
                ["evaluate", str(theirs), *work],
                ["export", str(theirs), "--into", str(own / "again"), *work],
                ["predict", str(place / "v.mp4"), "--run", str(theirs), *work],
            ):
                code, seen = _called(call)
                made = [path for path in sorted(folder.rglob("*")) if path not in before]
                outside = [path for path in made if not path.is_relative_to(place / "a")]
                if code not in (0, 2, 3, 5) or seen or outside:
                    yield f"{call[0]} with {value}: exit {code}, {seen}, {outside}"
                else:
                    yield None
    finally:
        sys.path.remove(str(folder))


def _called(arguments: list[str]) -> tuple[int, list[str]]:
    with watching() as seen, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = run(arguments)
    return code, seen


def _playlists(real: str) -> dict[str, str]:
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{real}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{real}'\n",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={real}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><AdaptationSet>"
        f"<Representation id='1'><BaseURL>{real}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "web": "#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/secret.ts\n",
        "smil": f"<smil><body><video src='{real}'/></body></smil>",
        "reference": f"[Reference]\nRef1=file://{real}\n",
        "imf": f"<AssetMap><Path>{real}</Path></AssetMap>",
        "subfile": f"subfile,,start,0,end,0,,:{real}",
    }


def media_names(folder: Path, every: int) -> Tries:
    """Name other files in what poses as a video, a chunk or a picture."""
    secret = folder / "secret.ts"
    make_video(secret, seconds=1)
    root = folder / "root"
    root.mkdir()
    rules = MediaRules(roots=(str(root),))
    for kind, text in _playlists(str(secret)).items():
        for ending in (".mp4", ".mkv", ".avi", ".m3u8", ".mpd", ".txt", ".ts", ""):
            file = root / f"{kind}{ending}"
            file.write_text(text)
            yield _opens(f"a {kind} playlist as {file.name}", lambda file=file: _frames_of_video(file, rules))  # type: ignore[misc]
        chunks, pictures = root / f"{kind}-chunks", root / f"{kind}-pictures"
        chunks.mkdir()
        pictures.mkdir()
        (chunks / "0.mp4").write_text(text)
        (pictures / "frame_1.jpg").write_text(text)
        yield _opens(f"a {kind} playlist as a chunk", lambda chunks=chunks: _frames_of_chunks(chunks, rules))  # type: ignore[misc]
        yield _opens(f"a {kind} playlist as a picture", lambda place=pictures: _frames_of_pictures(place, rules))  # type: ignore[misc]


def links(folder: Path, every: int) -> Tries:
    """Put links and odd members where videos and pictures were."""
    (folder / "private").mkdir()
    secret = folder / "private" / "0.mp4"
    make_video(secret, seconds=1)
    picture = folder / "private" / "frame_1.jpg"
    picture.write_bytes(large_jpeg(64, 64))
    root = folder / "root"
    rules = MediaRules(roots=(str(root),))
    (root / "chunks").mkdir(parents=True)
    (root / "pictures").mkdir()
    (root / "a.mp4").symlink_to(secret)
    (root / "b.mp4").symlink_to("a.mp4")
    (root / "folder").symlink_to(folder / "private")
    (root / "chunks" / "0.mp4").symlink_to(secret)
    (root / "pictures" / "frame_1.jpg").symlink_to(picture)
    for name in ("a.mp4", "b.mp4", "folder/0.mp4", "../private/0.mp4"):
        yield _opens(f"a link at {name}", lambda name=name: _frames_of_video(root / name, rules))  # type: ignore[misc]
    yield _opens("a link as a chunk", lambda: _frames_of_chunks(root / "chunks", rules))
    yield _opens("a link as a picture", lambda: _frames_of_pictures(root / "pictures", rules))
    for kind, name in (
        (tarfile.SYMTYPE, "frame_1.jpg"),
        (tarfile.LNKTYPE, "frame_1.jpg"),
        (tarfile.FIFOTYPE, "f_1.jpg"),
    ):
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, str(picture)
        with tarfile.open(root / "v.tar", "w") as archive:
            archive.addfile(member)
        yield _opens(f"a member of type {kind!r} in a tar", lambda: _frames_of_pictures(root / "v.tar", rules))


def memory(folder: Path, every: int) -> Tries:
    """State much in a few bytes."""
    sides = ((16_000, 16_000), (30_000, 30_000), (65_535, 65_535), (65_535, 1_500))
    for width, height in sides:
        (folder / "a.gif").write_bytes(large_gif(width, height))
        yield _small(f"a GIF of {width} x {height}", lambda: _frames_of_video(folder / "a.gif", MediaRules()))
        for make in (large_jpeg, large_png):
            place = folder / f"{make.__name__}-{width}-{height}"
            place.mkdir()
            (place / "frame_1.jpg").write_bytes(make(width, height))
            what = f"a {make.__name__} of {width} x {height}"
            yield _small(what, lambda place=place: _frames_of_pictures(place, MediaRules()))  # type: ignore[misc]
    for rows, stated in ((400_000, None), (10, 10**9), (10, 10**15), (1, 2**62)):
        zeros_npz(folder / "v.npz", rows, 500, stated)
        yield _small(f"an npz of {stated or rows} rows", lambda: len(read_vectors(folder / "v.npz").vectors))


def _frames_of_video(file: Path, rules: MediaRules) -> int:
    with open_video(file, rules=rules) as reader:
        return sum(1 for _ in reader.frames(reader.select([0.0, 0.5]).pts))  # type: ignore[arg-type]


def _frames_of_chunks(place: Path, rules: MediaRules) -> int:
    with ChunkSource(place, 0.0, lambda: None, rules=rules) as source:
        plan = FramePlan(2, 1)
        chosen = source.choose(Clip("a", 0.0, 0.5), plan).pts
        return sum(isinstance(frame, StoredFrame) for frame in source.frames(chosen.flat, plan))


def _frames_of_pictures(place: Path, rules: MediaRules) -> int:
    with open_jpegs(place, None, None, lambda: None, rules) as source:
        return sum(isinstance(frame, StoredFrame) for frame in source.frames(source.numbers, FramePlan()))


def _opens(what: str, read: Callable[[], int]) -> str | None:
    """What is wrong if a frame is read, or anything but a VideoError ends it."""
    with watching() as seen:
        try:
            frames = read()
        except (VideoError, XmicError):
            frames = 0
        except Exception as error:
            return f"{what}: {type(error).__name__}: {error}"
    return f"{what}: {frames} frames, {seen}" if frames or seen else None


def _small(what: str, read: Callable[[], int]) -> str | None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong = _opens(what, read)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before >> 10
    return wrong or (f"{what}: took {more} MiB" if more > _MORE_MIB else None)


_CHAIN = """
from pathlib import Path
import sys
from tests.pipelines.kitchen_world import MACHINE, build
from tests.video_maker import make_video
from xmic_cli.app import run
folder = Path(sys.argv[1])
kitchen = build(folder, make_video)
work = ["-w", str(kitchen.work)]
for call in (
    ["status", "--verify"], ["report"], ["look"], ["runs"], ["doctor"],
    ["predict", str(kitchen.video("a.mp4")), "--run", kitchen.zero_shot],
    ["export", kitchen.zero_shot, "--into", str(folder / "exported")],
):
    print(call[0], run([*call, *work] if call[0] != "doctor" else call), file=sys.stderr)
"""


def connections(folder: Path, every: int) -> Tries:
    """Run a whole chain, and note every connection that any of its processes asks for."""
    log = folder / "connections"
    environment = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    paths = (str(Path(__file__).parent / "watched"), str(_ROOT))
    environment |= {"WATCHED_CONNECTIONS": str(log), "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", _CHAIN, str(folder / "kitchen")]
    apart = shutil.which("unshare") and not subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode
    done = subprocess.run(
        ["unshare", "-n", *command] if apart else command, env=environment, cwd=folder, capture_output=True, text=True
    )
    yield f"the chain ended in {done.returncode}: {done.stderr[-600:]}" if done.returncode else None
    yield f"connections: {log.read_text()[:400]}" if log.exists() else None


def pages(folder: Path, every: int) -> Tries:
    """Write scripts into names, and open the pages in a real browser."""
    if HAVE_BROWSER:
        yield from attack_pages(folder)


ATTACKS = (
    Attack("hostile files at every loader", loaders),
    Attack("paths and modules in a run of somebody else", names),
    Attack("videos and pictures that name other files", media_names),
    Attack("links in place of videos and pictures", links),
    Attack("small files that state much", memory),
    Attack("scripts in the pages, in Chromium", pages),
    Attack("connections of a whole chain", connections),
)

_ABOUT = (
    "Files that somebody else could make are given to everything that reads them. An attack holds if it ends in a "
    "result or in one error, and nothing happens that should not: audit hooks of Python watch for programs that run, "
    "hostile modules that are imported and connections. Files outside of the workspace, memory and, in a real browser, "
    "the pages are looked at too. SECURITY.md says what may run.",
)


def make(attack: Attack, folder: Path, every: int = 1) -> tuple[int, list[str]]:
    """Make the attacks of a kind: their number, and what went wrong."""
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(attack.tries(folder, every))
    return len(found), [wrong for wrong in found if wrong]


def main() -> None:
    """Make all attacks and print what held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of the name of a kind")
    parser.add_argument("--write", action="store_true", help="keep the counts, and write docs/reliability.md")
    given = parser.parse_args()
    folder, rows, wrong = Path(tempfile.mkdtemp(prefix="security-")), [], []
    for number, attack in enumerate(ATTACKS):
        if given.only in attack.name:
            count, bad = make(attack, folder / str(number))
            rows.append([attack.name, count, len(bad)])
            wrong += bad
            print(attack.name, count, *bad, sep="\n  ", flush=True)
    rows.append(["all", sum(int(row[1]) for row in rows), len(wrong)])
    if given.write:
        summary = f"{rows[-1][1]} attacks; wrong: {len(wrong)}."
        command = "python -m tests.reliability.security"
        page.record(
            "security", page.Found("Attacks", _ABOUT, command, summary, ["kind", "attacks", "wrong"], rows, wrong)
        )
    if wrong:
        sys.exit(f"{len(wrong)} attacks did not hold; files in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
