from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from data_manifests.errors import InputError, TooManyFailures, UsageError
from data_manifests.readers.epic import EpicReader
from data_manifests.readers.table import TableReader
from data_manifests.schema import Label
from pipelines.engine.progress import Silent
from pipelines.engine.shards import read_footer, read_rows
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.prepare.stage import Prepared, prepare
from tests.data_manifests.epic_files import FILES, NOUNS, TIME_COLUMNS, row, write_epic, write_rows
from tests.pipelines.engine.stage_fixtures import tree


@pytest.fixture
def epic_csv(tmp_path: Path) -> Path:
    """Train and val of five clips in three videos, one row a reject."""
    train = [
        row("P90_01_0"),
        row("P90_01_1", noun_class="2"),
        row("P90_101_0", verb_class="1"),
        row("P90_01_9", video_id="x"),
    ]
    return write_epic(tmp_path / "csv", {"train": train, "val": [row("P91_02_0"), row("P91_02_1")]})


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A root with one of the three videos."""
    file = tmp_path / "videos" / "P90" / "videos" / "P90_01.MP4"
    file.parent.mkdir(parents=True)
    file.touch()
    return tmp_path / "videos"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def _prepare(work: Path, epic_csv: Path, roots: Sequence[Path] = (), **options: object) -> Prepared:
    return prepare(Workspace.open(work), "epic", EpicReader(epic_csv), roots, **options)  # type: ignore[arg-type]


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_every_split_gets_clips_videos_rejects_and_the_dataset_its_classes(
    work: Path, epic_csv: Path, videos: Path
) -> None:
    found = _prepare(work, epic_csv, [videos])
    counts = {"clips": 3, "rejects": 1, "reject_reasons": {"unsafe_path": 1}, "videos": 2, "missing_videos": 1}
    detail = "video_id 'x' is not of the form P01_01 or P01_101"
    first = {"unsafe_path": {"file": "EPIC_100_train.csv", "row": 5, "detail": detail}}
    train_rejects, val_rejects = (
        str(work / "manifests/epic" / split / "rejects.parquet") for split in ("train", "val")
    )
    # Both clips of P90_01 stand at the same time and have other nouns.
    whole = {
        "overlaps": {"noun": {"clips": 2, "share": pytest.approx(2 / 3)}, "verb": {"clips": 0, "share": 0.0}},
        "findings": [],
    }
    assert vars(found) == {
        "dataset": "epic",
        "splits": {
            "train": {
                **counts,
                **whole,
                "classes_present": {"noun": 2, "verb": 2},
                "first_rejects": first,
                "rejects_file": train_rejects,
            },
            "val": {
                "clips": 2,
                "rejects": 0,
                "reject_reasons": {},
                "first_rejects": {},
                "rejects_file": val_rejects,
                "videos": 1,
                "missing_videos": 1,
                "classes_present": {"noun": 1, "verb": 1},
                "overlaps": {label: {"clips": 0, "share": 0.0} for label in ("noun", "verb")},
                "findings": [],
            },
        },
        "clips": 5,
        "rejects": 1,
        "videos": 3,
        "missing_videos": 2,
        "classes": {"noun": 3, "verb": 2},
        "classes_present": {"noun": 2, "verb": 2},
        "made": 6,
        "plan": [],
        "would_reject": [],
    }
    names = [f"{split}/{file}.parquet" for split in ("train", "val") for file in ("clips", "rejects", "videos")]
    expected = {f"manifests/epic/{name}" for name in [*names, "classes_noun.parquet", "classes_verb.parquet"]}
    assert tree(work).keys() == expected | {"workspace.toml"}
    assert read_rows(work / "manifests/epic/train/videos.parquet").to_pylist() == [
        {
            "video_id": "P90_01",
            "path": "P90/videos/P90_01.MP4",
            "kind": "video",
            "offset_s": 0.0,
            "clips": 2,
            "duration_s": None,
            "fps": None,
            "jpeg_rate": 60.0,
        },
        {
            "video_id": "P90_101",
            "path": None,
            "kind": None,
            "offset_s": None,
            "clips": 1,
            "duration_s": None,
            "fps": None,
            "jpeg_rate": 50.0,
        },
    ]
    assert Workspace.open(work).datasets["epic"] == DatasetSettings("epic", (str(videos),), 1)


def test_running_again_writes_nothing(work: Path, epic_csv: Path, videos: Path) -> None:
    first = _prepare(work, epic_csv, [videos])
    before = {file: file.stat().st_mtime_ns for file in work.rglob("*.parquet")}
    again = _prepare(work, epic_csv, [videos])
    assert again.made == 0
    assert vars(again) == {**vars(first), "made": 0}
    assert {file: file.stat().st_mtime_ns for file in work.rglob("*.parquet")} == before


def test_settings_that_are_known_are_not_written_again(work: Path, epic_csv: Path, videos: Path) -> None:
    _prepare(work, epic_csv, [videos])
    before = (work / "workspace.toml").stat().st_ino
    _prepare(work, epic_csv, [videos])
    assert (work / "workspace.toml").stat().st_ino == before
    _prepare(work, epic_csv, [videos.parent])
    assert (work / "workspace.toml").stat().st_ino != before


def test_a_video_that_appears_later_changes_the_table_of_videos_only(work: Path, epic_csv: Path, videos: Path) -> None:
    _prepare(work, epic_csv, [videos])
    before = tree(work)
    (videos / "P91").mkdir()
    (videos / "P91" / "P91_02.mp4").touch()
    found = _prepare(work, epic_csv)  # the roots are remembered
    assert (found.made, found.missing_videos) == (1, 1)
    assert _changed(before, tree(work)) == {"manifests/epic/val/videos.parquet"}


def test_other_roots_change_paths_only_and_are_remembered(work: Path, epic_csv: Path, videos: Path) -> None:
    _prepare(work, epic_csv, [videos])
    found = _prepare(work, epic_csv, [videos.parent])
    assert (found.made, found.missing_videos) == (1, 3)
    assert Workspace.open(work).datasets["epic"].roots == (str(videos.parent),)


def test_a_changed_row_redoes_the_split_it_is_in(work: Path, epic_csv: Path) -> None:
    _prepare(work, epic_csv)
    before = tree(work)
    write_rows(epic_csv / FILES["val"], [row("P91_02_0"), row("P91_02_1", narration="other")])
    assert _prepare(work, epic_csv).made == 1
    assert _changed(before, tree(work)) == {"manifests/epic/val/clips.parquet"}


def test_facts_on_videos_reach_the_table_of_videos(work: Path, epic_csv: Path) -> None:
    (epic_csv / "EPIC_100_video_info.csv").write_text("video_id,duration,fps\nP91_02,12.5,50\nP99_99,1,1\n")
    _prepare(work, epic_csv, splits=["val"])
    (video,) = read_rows(work / "manifests/epic/val/videos.parquet").to_pylist()
    assert (video["duration_s"], video["fps"]) == (12.5, 50.0)


def test_no_split_can_be_prepared_with_other_classes_than_the_rest(work: Path, epic_csv: Path) -> None:
    _prepare(work, epic_csv, splits=["train"])
    assert _prepare(work, epic_csv, splits=["val"]).made == 2
    before = tree(work)
    write_epic(epic_csv, {}, nouns=[*NOUNS[:2], ("wok", "['wok']")])
    with pytest.raises(InputError) as error:
        _prepare(work, epic_csv, splits=["val"])
    assert str(error.value) == (
        "epic: the noun classes differ from those that train was prepared with (hand pasta press, wok). "
        "Prepare all splits in one command, or give both the same class file."
    )
    write_epic(epic_csv, {}, verbs=[("fold-in", "['fold-in']"), ("stir", "['stir']")])
    with pytest.raises(InputError, match=r"the verb classes differ from those that train .* \(their order\)"):
        _prepare(work, epic_csv, splits=["val"], dry_run=True)
    assert tree(work) == before
    assert _prepare(work, epic_csv).made == 3


def test_a_limit_keeps_the_first_clips_and_is_part_of_the_key(work: Path, epic_csv: Path) -> None:
    class Heard(Silent):
        texts: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.texts.append(text)

    found = _prepare(work, epic_csv, splits=["train"], limit=2, progress=Heard())
    assert (found.clips, found.videos, found.made) == (2, 1, 4)
    assert Heard.texts == ["epic train: keeping the first 2 clips only"]
    assert _prepare(work, epic_csv, splits=["train"], limit=2).made == 0
    assert read_footer(work / "manifests/epic/train/clips.parquet").params["limit"] == 2
    whole = _prepare(work, epic_csv, splits=["train"])
    assert (whole.clips, whole.made) == (3, 2)
    assert _prepare(work, epic_csv, splits=["train"], limit=99).made == 1


def test_a_dry_run_says_what_would_be_written_and_writes_nothing_at_all(
    work: Path, epic_csv: Path, videos: Path
) -> None:
    dry = _prepare(work, epic_csv, [videos], dry_run=True)
    assert not work.exists()
    names = ["classes_noun", "classes_verb", "train/clips", "train/videos", "val/clips", "val/videos"]
    assert dry.plan == [f"{work}/manifests/epic/{name}.parquet: not made yet" for name in names]
    assert dry.would_reject == [
        "epic train: 1 of 4 rows rejected (unsafe_path); the first is EPIC_100_train.csv, row 5: "
        "video_id 'x' is not of the form P01_01 or P01_101"
    ]
    assert _prepare(work, epic_csv, dry_run=True).plan == dry.plan
    _prepare(work, epic_csv, [videos])
    before = tree(work)
    (videos / "P90_101.mp4").touch()
    assert _prepare(work, epic_csv, [videos], dry_run=True).plan == [
        f"{work}/manifests/epic/train/videos.parquet: input videos changed"
    ]
    assert _prepare(work, epic_csv, limit=1, dry_run=True, splits=["val"]).plan == [
        f"{work}/manifests/epic/val/clips.parquet: limit changed from None to 1",
        f"{work}/manifests/epic/val/videos.parquet: input videos changed",
    ]
    assert tree(work) == before


def test_a_lost_table_of_rejects_is_made_again_with_its_clips(work: Path, epic_csv: Path) -> None:
    _prepare(work, epic_csv)
    before = tree(work)
    (work / "manifests/epic/train/rejects.parquet").unlink()
    assert _prepare(work, epic_csv, dry_run=True).plan == [
        f"{work}/manifests/epic/train/clips.parquet: its side part rejects.parquet is missing or of another run"
    ]
    assert _prepare(work, epic_csv).made == 1
    assert tree(work) == before


def test_a_second_reader_under_the_same_name_is_refused(work: Path, epic_csv: Path, tmp_path: Path) -> None:
    _prepare(work, epic_csv)
    table = tmp_path / "clips.csv"
    table.write_text("video,split\na.mp4,test\n")
    with pytest.raises(InputError) as error:
        prepare(Workspace.open(work), "epic", _Unclassed([(table, None)], epic_csv), [])
    assert str(error.value) == (
        f"{work}: epic was prepared by the reader epic, now by table. Choose another --name or another workspace."
    )


class _Unclassed(TableReader):
    """A table with the classes of an annotation folder, so that only the reader differs."""

    def __init__(self, files: list[tuple[Path, str | None]], epic_csv: Path) -> None:
        super().__init__(files)
        self._epic = EpicReader(epic_csv)

    def classes(self):  # type: ignore[no-untyped-def]
        return self._epic.classes()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a/"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(work: Path, epic_csv: Path, name: str) -> None:
    with pytest.raises(UsageError) as error:
        prepare(Workspace.open(work), name, EpicReader(epic_csv), [])
    assert str(error.value) == f"--name {name}: expected a name that can be a folder, without '/'."
    assert not work.exists()


@pytest.mark.parametrize("name", ["my clips", "küche", 'a"b', "台所", "..x"])
def test_odd_names_are_names(work: Path, epic_csv: Path, name: str) -> None:
    prepare(Workspace.open(work), name, EpicReader(epic_csv), [])
    workspace = Workspace.open(work)
    assert workspace.choose(name) == [(name, "train"), (name, "val")]
    assert workspace.groups(name) == 1


def test_roots_and_files_that_are_not_there_are_named(work: Path, epic_csv: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        _prepare(work, epic_csv, [tmp_path, tmp_path / "no"])
    assert str(error.value) == (
        f"--videos {tmp_path / 'no'}: no such folder; expected the folder that holds the videos."
    )
    with pytest.raises(InputError) as error:
        _prepare(work, write_epic(tmp_path / "empty", {}))
    files = "EPIC_100_train.csv or EPIC_100_validation.csv or EPIC_100_test_timestamps.csv"
    assert str(error.value) == f"--annotations {tmp_path / 'empty'}: no {files} in this folder."
    with pytest.raises(InputError, match=r"EPIC_100_test_timestamps\.csv: not found\. Splits .*: train, val\."):
        _prepare(work, epic_csv, splits=["test"])
    assert not work.exists()


@pytest.mark.parametrize(("clips", "groups"), [(1, 1), (85, 1), (86, 2), (171, 4), (9668, 128)])
def test_the_bucket_count_follows_the_first_preparation_and_stays(
    work: Path, tmp_path: Path, clips: int, groups: int
) -> None:
    folder = write_epic(tmp_path / "csv", {})
    write_rows(folder / FILES["test"], [row(f"P90_01_{n}") for n in range(clips)], TIME_COLUMNS)
    _prepare(work, folder, limit=1)
    assert Workspace.open(work).groups("epic") == groups
    write_rows(folder / FILES["test"], [row(f"P90_01_{n}") for n in range(400)], TIME_COLUMNS)
    _prepare(work, folder)
    assert Workspace.open(work).groups("epic") == groups


class _Tables:
    """Two tables and two class files that a user may mix up."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.one, self.two = folder / "one" / "clips.csv", folder / "two" / "clips.csv"
        for file, noun in ((self.one, "cup"), (self.two, "pan")):
            file.parent.mkdir()
            file.write_text(f"video,noun,verb\n{folder}/videos/deep/{noun}.mp4,{noun},stir\n")
        self.nouns, self.verbs = folder / "nouns.txt", folder / "verbs.txt"
        self.nouns.write_text("pan\ncup\n")
        self.verbs.write_text("stir\n")
        self.root = folder / "videos"
        (self.root / "deep").mkdir(parents=True)

    def prepare(
        self, files: Sequence[tuple[Path, str]], root: Path, classes: dict[Label, Path] | None = None
    ) -> Prepared:
        reader = TableReader(files, roots=[root], class_files=classes)
        return prepare(Workspace.open(self.work), "mine", reader, [root])

    def nouns_of(self, split: str) -> list[str]:
        return read_rows(self.work / "manifests" / "mine" / split / "clips.parquet").column("noun").to_pylist()


def test_files_given_to_the_wrong_splits_are_redone_when_put_right(tmp_path: Path) -> None:
    tables = _Tables(tmp_path)
    two = tables.two.rename(tmp_path / "other.csv")
    tables.prepare([(two, "train"), (tables.one, "val")], tables.root)
    assert tables.nouns_of("train") == ["pan"]
    tables.prepare([(tables.one, "train"), (two, "val")], tables.root)
    assert (tables.nouns_of("train"), tables.nouns_of("val")) == (["cup"], ["pan"])


def test_class_files_given_the_wrong_way_round_are_redone_when_put_right(tmp_path: Path) -> None:
    tables = _Tables(tmp_path)
    wrong: dict[Label, Path] = {"noun": tables.verbs, "verb": tables.nouns}
    with pytest.raises(TooManyFailures, match="mine val: 1 of 1 rows are rejected"):
        tables.prepare([(tables.one, "val")], tables.root, wrong)
    right: dict[Label, Path] = {"noun": tables.nouns, "verb": tables.verbs}
    found = tables.prepare([(tables.one, "val")], tables.root, right)
    assert (found.rejects, tables.nouns_of("val")) == (0, ["cup"])


def test_a_wrong_video_root_is_forgotten_when_put_right(tmp_path: Path) -> None:
    tables = _Tables(tmp_path)
    other = tmp_path / "elsewhere"
    other.mkdir()
    with pytest.raises(TooManyFailures, match="mine val: 1 of 1 rows are rejected"):
        tables.prepare([(tables.one, "val")], other)
    found = tables.prepare([(tables.one, "val")], tables.root)
    assert (found.rejects, found.clips) == (0, 1)
    assert read_rows(tables.work / "manifests/mine/val/videos.parquet").column("video_id").to_pylist() == [
        "deep/cup.mp4"
    ]


def test_of_two_files_with_one_name_either_may_change(tmp_path: Path) -> None:
    tables = _Tables(tmp_path)
    files = [(tables.one, "train"), (tables.two, "val")]
    tables.prepare(files, tables.root)
    assert tables.prepare(files, tables.root).made == 0
    for file, split in files:
        file.write_text(file.read_text().replace(",stir", ",fold"))
        assert tables.prepare(files, tables.root).made > 0
        (clip,) = read_rows(tables.work / "manifests" / "mine" / split / "clips.parquet").to_pylist()
        assert clip["verb"] == "fold"


def test_no_absolute_path_of_a_class_file_stands_in_the_manifest(tmp_path: Path) -> None:
    tables = _Tables(tmp_path)
    with pytest.raises(TooManyFailures):
        tables.prepare([(tables.one, "val")], tables.root, {"noun": tables.verbs})
    file = tables.work / "manifests" / "mine" / "val" / "rejects.parquet"
    assert read_rows(file).column("detail").to_pylist() == ["noun 'cup' is not in verbs.txt"]
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in tables.work.rglob("*.parquet"))


def test_a_video_that_is_a_link_out_of_the_roots_is_rejected_with_its_rows(
    work: Path, epic_csv: Path, videos: Path
) -> None:
    secret = videos.parent / "secret.mp4"
    secret.touch()
    (videos / "P90" / "videos" / "P90_101.MP4").symlink_to(secret)
    found = _prepare(work, epic_csv, [videos])
    assert found.splits["train"]["reject_reasons"] == {"unsafe_path": 2}
    rejects = read_rows(work / "manifests/epic/train/rejects.parquet").to_pylist()
    (link,) = [row for row in rejects if row["clip_id"] == "P90_101_0"]
    assert (link["file"], link["row"]) == ("EPIC_100_train.csv", 4)
    assert f"is a link to {secret}, outside the video roots" in link["detail"]
    clips = read_rows(work / "manifests/epic/train/clips.parquet").column("clip_id").to_pylist()
    assert clips == ["P90_01_0", "P90_01_1"]
    videos_known = read_rows(work / "manifests/epic/train/videos.parquet").column("video_id").to_pylist()
    assert videos_known == ["P90_01"]
