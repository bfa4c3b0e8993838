from __future__ import annotations

import re
import shutil
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_manifests.errors import InputError, MissingUpstream, UsageError
from data_manifests.readers.table import TableReader
from pipelines.engine.folder_names import is_folder_name
from pipelines.engine.workspace import DatasetSettings, Workspace
from pipelines.prepare.stage import prepare
from tests.pipelines.engine.stage_fixtures import NumbersStage, run

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_SETTINGS = st.builds(
    DatasetSettings, reader=_TEXT, roots=st.lists(_TEXT, max_size=3).map(tuple), groups=st.integers(1, 1024)
)


@settings(max_examples=50, deadline=None)
@given(
    datasets=st.dictionaries(_TEXT.filter(is_folder_name), _SETTINGS, max_size=3),
    precision=st.dictionaries(st.sampled_from(["cpu", "cuda"]), st.sampled_from(["fp32", "bf16"])),
    encoders=st.dictionaries(_TEXT, _TEXT, max_size=2),
)
@example(
    datasets={
        'my "kitchen".2 = [x]': DatasetSettings("table", ("/videos/ü ö\\n", '/a"b', "/tab\there\x7f"), 8),
        "台所\n#": DatasetSettings("epic", (), 1),
        "": DatasetSettings("", ("",), 2),
    },
    precision={"cpu": "fp32"},
    encoders={"vit.b-16": "open_clip:ViT-B-16=/weights/ü.pt"},
)
def test_workspace_toml_keeps_every_name_and_path(
    tmp_path_factory: pytest.TempPathFactory,
    datasets: dict[str, DatasetSettings],
    precision: dict[str, str],
    encoders: dict[str, str],
) -> None:
    root = tmp_path_factory.mktemp("work")
    with Workspace(root, datasets, precision, encoders).changing():
        pass
    assert Workspace.open(root) == Workspace(root, datasets, precision, encoders)
    assert [file.name for file in root.iterdir() if file.name != ".locks"] == ["workspace.toml"]


def test_what_two_processes_add_is_kept_of_both(tmp_path: Path) -> None:
    first, second = Workspace.open(tmp_path), Workspace.open(tmp_path)
    for workspace, name in ((first, "epic"), (second, "ego4d")):
        with workspace.changing():
            workspace.datasets[name] = DatasetSettings(name, ("/videos",), 4)
    with first.changing():
        first.datasets["epic"] = DatasetSettings("epic", ("/other",), 4)
    second.remember_encoder("vit-00000000", "open_clip:ViT-B-16=/weights/b16.pt")
    found = Workspace.open(tmp_path)
    assert {name: of.roots for name, of in found.datasets.items()} == {"epic": ("/other",), "ego4d": ("/videos",)}
    assert list(found.encoders) == ["vit-00000000"]


def test_whoever_changes_the_workspace_waits_for_another(tmp_path: Path) -> None:
    first, second = Workspace.open(tmp_path), Workspace.open(tmp_path)

    def add() -> None:
        with second.changing():
            second.datasets["ego4d"] = DatasetSettings("ego4d", (), 1)

    with first.changing():
        waiting = threading.Thread(target=add)
        waiting.start()
        first.datasets["epic"] = DatasetSettings("epic", (), 1)
        assert "ego4d" not in second.datasets
    waiting.join()
    assert set(Workspace.open(tmp_path).datasets) == {"epic", "ego4d"}


def test_a_folder_that_is_not_there_yet_is_an_empty_workspace_and_stays_so(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "work")
    assert (workspace.datasets, workspace.precision, workspace.prepared()) == ({}, {}, [])
    assert not (tmp_path / "work").exists()


def test_the_file_is_plain_toml_for_a_person_to_edit(tmp_path: Path) -> None:
    with Workspace(tmp_path, {"epic": DatasetSettings("epic", ("/videos",), 4)}, {"cpu": "fp32"}).changing():
        pass
    assert (tmp_path / "workspace.toml").read_text() == (
        'layout = 1\n\n[precision]\ncpu = "fp32"\n\n'
        '[datasets."epic"]\nreader = "epic"\nroots = ["/videos"]\ngroups = 4\n'
    )
    assert tomllib.loads((tmp_path / "workspace.toml").read_text())["datasets"]["epic"]["groups"] == 4


def test_where_an_encoder_lies_is_kept_and_written_only_when_it_changes(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.remember_encoder("vit-00000000", "open_clip:ViT-B-16=/weights/b16.pt")
    assert Workspace.open(tmp_path).encoders == {"vit-00000000": "open_clip:ViT-B-16=/weights/b16.pt"}
    (tmp_path / "workspace.toml").unlink()
    workspace.remember_encoder("vit-00000000", "open_clip:ViT-B-16=/weights/b16.pt")
    assert not (tmp_path / "workspace.toml").exists()
    workspace.remember_encoder("vit-00000000", "open_clip:ViT-B-16=/moved/b16.pt")
    assert Workspace.open(tmp_path).encoders["vit-00000000"] == "open_clip:ViT-B-16=/moved/b16.pt"


@pytest.mark.parametrize("layout", ["2", '"1"', None])
def test_an_unknown_layout_is_refused(tmp_path: Path, layout: str | None) -> None:
    file = tmp_path / "workspace.toml"
    file.write_text(f"layout = {layout}\n" if layout else "")
    found = {"2": "2", '"1"': "'1'", None: "None"}[layout]
    with pytest.raises(InputError) as error:
        Workspace.open(tmp_path)
    assert str(error.value) == (
        f"{file}: layout {found}, this xmic reads layout 1. Use the xmic that made it, or another folder with -w."
    )


@pytest.mark.parametrize("content", [b"layout = ", b"\xff\xfe", b"layout = 1\nlayout = 1\n"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "workspace.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"workspace\.toml: not valid TOML \("):
        Workspace.open(tmp_path)


def test_a_setting_that_was_edited_away_is_named(tmp_path: Path) -> None:
    file = tmp_path / "workspace.toml"
    file.write_text('layout = 1\n[datasets."my clips"]\nreader = "table"\nroots = []\n')
    with pytest.raises(InputError) as error:
        Workspace.open(tmp_path)
    assert str(error.value) == f"{file}: 'groups' is missing in [datasets.\"my clips\"]. Put it back."


def _prepared(root: Path, *pairs: tuple[str, str]) -> Workspace:
    workspace = Workspace(root)
    for name, split in pairs:
        folder = workspace.manifest(name, split)
        folder.mkdir(parents=True)
        (folder / "clips.parquet").touch()
    return workspace


def test_choose_takes_all_that_is_prepared_or_what_is_named(tmp_path: Path) -> None:
    workspace = _prepared(tmp_path, ("epic", "val"), ("ego4d", "val"), ("epic", "train"), ("küche", "test"))
    (workspace.manifest("half", "val")).mkdir(parents=True)
    (tmp_path / "manifests" / "a file").touch()
    everything = [("ego4d", "val"), ("epic", "train"), ("epic", "val"), ("küche", "test")]
    assert workspace.prepared() == everything
    assert workspace.choose(None) == workspace.choose(None, []) == everything
    assert workspace.choose("epic") == [("epic", "train"), ("epic", "val")]
    assert workspace.choose(None, ["validation"]) == [("ego4d", "val"), ("epic", "val")]
    assert workspace.choose("epic", ["test", "train"]) == [("epic", "train")]
    assert workspace.splits("epic") == ["train", "val"]


def test_choose_in_an_empty_workspace_names_the_command_that_fills_it(tmp_path: Path) -> None:
    with pytest.raises(MissingUpstream) as error:
        Workspace(tmp_path).choose("epic")
    assert error.value.exit_code == 5
    assert str(error.value) == (
        f"{tmp_path}: no dataset is prepared in this workspace. Run xmic prepare first (xmic prepare --help), "
        "or name another workspace with -w."
    )


def test_choose_lists_what_is_prepared_when_the_named_is_not(tmp_path: Path) -> None:
    workspace = _prepared(tmp_path, ("epic", "val"), ("epic", "train"))
    for dataset, splits, text in (
        ("ego4d", None, "ego4d has no prepared split among test, train, val."),
        ("epic", ["test"], "epic has no prepared split among test."),
        (None, ["test"], "any dataset has no prepared split among test."),
    ):
        with pytest.raises(MissingUpstream) as error:
            workspace.choose(dataset, splits)
        assert str(error.value) == f"{tmp_path}: {text} Prepared: epic (train), epic (val). Run xmic prepare for it."
    with pytest.raises(UsageError, match="split 'dev': expected train"):
        workspace.choose("epic", ["dev"])


def test_groups_of_a_dataset_that_is_not_prepared_are_asked_of_prepare(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, {"epic": DatasetSettings("epic", (), 16)})
    assert workspace.groups("epic") == 16
    with pytest.raises(MissingUpstream) as error:
        workspace.groups("ego4d")
    assert str(error.value) == f"{tmp_path}: dataset ego4d is not prepared. Run xmic prepare."


def test_moving_the_workspace_and_the_videos_keeps_everything_done(tmp_path: Path) -> None:
    table, videos = tmp_path / "clips.csv", tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").touch()
    table.write_text("video,noun,split\na.mp4,cup,train\na.mp4,pan,val\n")

    def prepare_in(root: Path, roots: Path) -> int:
        return prepare(Workspace.open(root), "mine", TableReader([(table, None)], roots=[roots]), [roots]).made

    assert prepare_in(tmp_path / "old", videos) == 6
    run(NumbersStage(tmp_path / "old" / "numbers"))
    written = [file.read_bytes() for file in (tmp_path / "old").rglob("*.parquet")]
    assert len(written) == 17
    assert not any(str(tmp_path).encode() in content for content in written)
    shutil.move(tmp_path / "old", tmp_path / "new place")
    videos.rename(tmp_path / "other disk")
    assert run(NumbersStage(tmp_path / "new place" / "numbers")) == []
    assert prepare_in(tmp_path / "new place", tmp_path / "other disk") == 0
    assert Workspace.open(tmp_path / "new place").datasets["mine"].roots == (str(tmp_path / "other disk"),)


def test_the_split_to_evaluate_on_is_the_named_one_else_val_else_test(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    def add(split: str) -> None:
        folder = workspace.manifest("mine", split)
        folder.mkdir(parents=True)
        (folder / "clips.parquet").touch()

    add("train")
    assert workspace.evaluation_split("mine") is None
    add("test")
    assert workspace.evaluation_split("mine") == "test"
    assert workspace.evaluation_split("mine", "val") is None
    add("val")
    assert workspace.evaluation_split("mine") == "val"
    assert workspace.evaluation_split("mine", "train") == "train"


def test_what_another_process_remembered_meanwhile_costs_a_second_look_and_is_never_wrong(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"one")
    here, there = (Workspace(tmp_path / "work").file_digests for _ in range(2))
    first = here.whole(video)
    assert there.whole(video) == first
    assert len((tmp_path / "work" / "cache" / "file-digests.jsonl").read_text().splitlines()) == 2
    video.write_bytes(b"another")
    assert here.whole(video) == there.whole(video) != first


def test_every_artifact_has_its_place_below_the_root(tmp_path: Path) -> None:
    places = Workspace(tmp_path)
    found = [
        places.manifest("mine", "train"),
        places.clips_file("mine", "train"),
        places.videos_file("mine", "train"),
        places.frames("mine", "train"),
        places.frames("mine", "train", "seg16-k3"),
        places.hands("mine", "train", "seg16-k3", "yolo-1"),
        places.embeddings("mine", "train", "seg16-k3"),
        places.embeddings("mine", "train", "seg16-k3", "pocket-1", "full"),
        places.text("mine", "pocket-1"),
        places.run("xmic-1"),
        places.evaluation("xmic-1", "mine", "val"),
        places.report("report"),
        places.cache("features", "ab"),
        places.scratch,
    ]
    assert [place.relative_to(tmp_path).as_posix() for place in found] == [
        "manifests/mine/train",
        "manifests/mine/train/clips.parquet",
        "manifests/mine/train/videos.parquet",
        "frames/mine/train",
        "frames/mine/train/seg16-k3",
        "hands/mine/train/seg16-k3/yolo-1",
        "embeddings/mine/train/seg16-k3",
        "embeddings/mine/train/seg16-k3/pocket-1/full",
        "text/mine/pocket-1",
        "runs/xmic-1",
        "evaluations/xmic-1/mine-val",
        "reports/report",
        "cache/features/ab",
        "tmp",
    ]


def test_what_is_of_one_detector_or_encoder_is_found_in_every_split_and_plan(tmp_path: Path) -> None:
    places = Workspace(tmp_path)
    boxes = [places.hands(*of, "boxes-[1]") for of in (("a", "train", "k3"), ("b", "val", "k1"), ("b", "val", "k3"))]
    vectors = [places.embeddings("a", "val", "k1", "e", stream) for stream in ("full", "hand-boxes")]
    others = [
        places.hands("a", "train", "k3", "boxes-1"),
        places.embeddings("b", "val", "k1", "e", "full"),
        places.embeddings("a", "val", "k1", "other", "full"),
    ]
    for folder in (*boxes, *vectors, *others, places.text("a", "e")):
        folder.mkdir(parents=True)
    names = [places.text("a", "e") / f"{label}-bare.parquet" for label in ("noun", "verb")]
    for file in (*names, places.text("a", "e") / ".noun-bare.parquet.host-1.tmp"):
        file.touch()
    assert places.boxes_by("boxes-[1]") == boxes
    assert places.vectors_by("e", "a") == vectors
    assert places.texts() == names
    assert Workspace(tmp_path / "none").texts() == []


def test_the_newest_run_is_listed_once_though_a_link_names_it(tmp_path: Path) -> None:
    places = Workspace(tmp_path)
    assert places.run_folders() == []
    for name in ("b", "a"):
        places.run(name).mkdir(parents=True)
    places.run("latest").symlink_to("b")
    (places.runs / "notes.txt").touch()
    assert places.run_folders() == [places.run("a"), places.run("b")]


def test_a_name_in_a_file_that_can_be_no_folder_names_no_run(tmp_path: Path) -> None:
    places = Workspace(tmp_path)
    assert places.run_named("xmic-official-epic-s0-1a2b3c4d") == places.run("xmic-official-epic-s0-1a2b3c4d")
    for name in ("../out", "a/b", "..", "<script>/"):
        assert places.run_named(name) is None


FOLDERS = "manifests|frames|hands|embeddings|text|runs|evaluations|reports|cache|tmp"
BY_HAND = re.compile(rf'root / |root\.(glob|joinpath)\(|/ "({FOLDERS})"|"({FOLDERS})/|["/](clips|videos)\.parquet"')


def test_no_other_module_knows_where_an_artifact_lies() -> None:
    sources = Path(__file__).parents[3]
    # The doctor imports nothing that may be broken, pyarrow among it, so it cannot ask a Workspace. Completion imports
    # nothing heavy.
    known = {"pipelines/engine/workspace.py", "pipelines/doctor/checks.py", "xmic_cli/completion.py"}
    found = {
        f"{name}:{number}: {line.strip()}"
        for package in ("pipelines", "xmic_cli", "pocket_kitchens", "packaged_models", "benchmarks")
        for file in (sources / package).rglob("*.py")
        if (name := file.relative_to(sources).as_posix()) not in known
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if BY_HAND.search(line)
    }
    assert found == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("layout = 1\ndatasets = 3", r"\[datasets\] is 3; expected a table of tables"),
        ("layout = 1\n[datasets]\nepic = 3", r"expected a table of tables"),
        ('layout = 1\n[datasets."../x"]\nreader = "epic"\nroots = []\ngroups = 1', "without '/'"),
        ("layout = 1\n[datasets.epic]\nreader = 3\nroots = []\ngroups = 1", "reader is 3"),
        ('layout = 1\n[datasets.epic]\nreader = "epic"\nroots = "/"\ngroups = 1', "roots is '/'"),
        ('layout = 1\n[datasets.epic]\nreader = "epic"\nroots = []\ngroups = true', "groups is True"),
        ('layout = 1\n[datasets.epic]\nreader = "epic"\nroots = []\ngroups = 0', "groups is 0"),
        ("layout = 1\n[precision]\ncpu = 3", r"\[precision\].*expected a table of texts"),
        ("layout = 1\nencoders = []", r"\[encoders\].*expected a table of texts"),
        ("x = " + "[" * 50_000, "not valid TOML"),
        ("x = 1\0", "not valid TOML"),
        ("layout = [1]", r"layout \[1\], this xmic reads layout 1"),
    ],
)
def test_a_damaged_workspace_toml_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "workspace.toml").write_text(content)
    with pytest.raises(InputError, match=said) as error:
        Workspace.open(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'workspace.toml'}: ")
