"""EPIC-KITCHENS, Ego4D and EGTEA as they lie on disk, through the commands of the README to a table across datasets."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.decode.encode_jpeg import to_jpeg
from pipelines.engine.shards import read_rows
from tests.data_manifests import ego4d_files, egtea_files, epic_files
from tests.pipelines.hands import hoa_files
from xmic_cli.app import run

_ROOT = Path(__file__).resolve().parents[2]


def _epic(folder: Path, video_maker: ModuleType) -> None:
    """Train: a tar of JPEGs. Val: a video. Hand boxes of both at the JPEGs' rate."""
    epic_files.write_epic(
        folder / "csv",
        {
            "train": [
                epic_files.row("P90_01_0", start_frame="1", stop_frame="49"),
                epic_files.row("P90_01_1", verb_class="1", noun_class="2", start_frame="31", stop_frame="100"),
            ],
            "val": [epic_files.row("P91_101_0", start_timestamp="00:00:00.10", stop_timestamp="00:00:01.90")],
        },
    )
    frames = folder / "EPIC-KITCHENS" / "P90" / "rgb_frames"
    frames.mkdir(parents=True)
    with tarfile.open(frames / "P90_01.tar", "w") as archive:
        for number in range(1, 121):
            data = to_jpeg(video_maker.draw_frame(number, (128, 96)), 90)
            member = tarfile.TarInfo(f"./frame_{number:010d}.jpg")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    (folder / "EPIC-KITCHENS" / "P91" / "videos").mkdir(parents=True)
    video_maker.make_video(folder / "x.mp4", fps=50, seconds=2)
    (folder / "x.mp4").rename(folder / "EPIC-KITCHENS" / "P91" / "videos" / "P91_101.MP4")
    for video, count in (("P90_01", 120), ("P91_101", 100)):
        touching = [hoa_files.hand((0.1, 0.1, 0.4, 0.4), 0.9, state=3, offset=(0.4, 0.4))]
        things = [hoa_files.thing((0.6, 0.6, 0.8, 0.8)), hoa_files.thing((0.0, 0.8, 0.1, 0.9))]
        entries = [hoa_files.message(video, n, touching, things) for n in range(1, count + 1)]
        hoa_files.write(folder / "EPIC-KITCHENS" / video[:3] / "hand-objects" / f"{video}.pkl", entries)


def _ego4d(folder: Path, video_maker: ModuleType) -> None:
    """A clip that is only there as a part of its recording, which begins at 1 s of it."""
    times = {"clip_parent_start_sec": 1.0, "clip_parent_end_sec": 4.0}
    times |= {"action_clip_start_sec": 0.5, "action_clip_end_sec": 2.5}
    nouns = ["ladle", "anchor", "bolt", "rope"]
    segment = ego4d_files.entry("clip-a", noun="rope", noun_label=3, **times)
    ego4d_files.write_ego4d(folder / "v2" / "annotations", {"val": [segment]}, nouns=nouns)
    (folder / "v2" / "full_scale").mkdir()
    video_maker.make_video(folder / "v2" / "full_scale" / "recording-1.mp4", fps=30, seconds=4)
    rows = [f"clip-a,{frame / 30},0.1,0.1,0.5,0.6,0.8" for frame in range(90)]
    (folder / "boxes.csv").write_text("\n".join(["video,time_s,x0,y0,x1,y1,score", *rows]) + "\n")


def _egtea(folder: Path, video_maker: ModuleType) -> None:
    egtea_files.write_egtea(folder / "action_annotation")
    place = folder / "cropped_clips" / egtea_files.SESSION
    place.mkdir(parents=True)
    video_maker.make_video(place / f"{egtea_files.clip()}.mp4", fps=24, seconds=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, video_maker: ModuleType) -> Path:
    """All three prepared, decoded, with hand boxes, embedded by a tiny CLIP with random weights."""
    folder = tmp_path_factory.mktemp("datasets")
    _epic(folder, video_maker)
    _ego4d(folder / "ego4d", video_maker)
    _egtea(folder / "egtea", video_maker)
    shutil.copy(_ROOT / "examples" / "tiny-clip.json", folder)
    work = folder / "work"
    roots = {"epic": folder / "EPIC-KITCHENS", "ego4d": folder / "ego4d" / "v2", "egtea": folder / "egtea"}
    annotations = {
        "epic": folder / "csv",
        "ego4d": folder / "ego4d" / "v2" / "annotations",
        "egtea": folder / "egtea" / "action_annotation",
    }
    for name, root in roots.items():
        where = ["--annotations", str(annotations[name]), "--videos", str(root)]
        assert run(["prepare", name, *where, "-w", str(work)]) == 0
    assert run(["decode", "-w", str(work)]) == 0
    boxes = ["--detector", "boxes", "--boxes", str(folder / "ego4d" / "boxes.csv")]
    assert run(["detect-hands", "ego4d", *boxes, "-w", str(work)]) == 0
    official = ["--detector", "epic-100doh", "--boxes", str(roots["epic"])]
    assert run(["detect-hands", "epic", *official, "-w", str(work)]) == 0
    embed = ["embed", "--encoder", f"open_clip:{folder / 'tiny-clip.json'}/random", "--allow-random-weights"]
    for dataset in ("epic", "ego4d"):
        assert run([*embed, dataset, "-w", str(work)]) == 0
    assert run([*embed, "egtea", "--streams", "full", "-w", str(work)]) == 0
    assert run([*embed, "egtea", "--streams", "full", "--names", "synonyms", "-w", str(work)]) == 0
    return work


def _rows(workspace: Path, pattern: str) -> list[dict[str, Any]]:
    return [row for part in sorted(workspace.glob(pattern)) for row in read_rows(part).to_pylist()]


def test_every_clip_has_a_frame_for_every_instant(workspace: Path) -> None:
    wanted = {"epic/train": 2 * 48, "epic/val": 16, "ego4d/val": 16, "egtea/test": 16}
    found = {split: len(_rows(workspace, f"frames/{split}/*/clip_frames/*.parquet")) for split in wanted}
    assert found == wanted
    assert not _rows(workspace, "frames/**/failures/*.parquet")


def test_the_frames_are_those_of_the_annotation_in_each_layout(workspace: Path, video_maker: ModuleType) -> None:
    from pipelines.decode.encode_jpeg import from_jpeg

    shown = {
        split: [
            video_maker.read_number(from_jpeg(row["jpeg"])) for row in _rows(workspace, f"frames/{split}/*/*.parquet")
        ]
        for split in ("epic/val", "ego4d/val", "egtea/test")
    }
    # Centres of 16 segments: of 0.1 to 1.9 s at 50, of 1.5 to 3.5 s at 30, of 0 to 1 s at 24 frames per second.
    expected = {
        "epic/val": [50 * (0.1 + 1.8 * (n + 0.5) / 16) for n in range(16)],
        "ego4d/val": [30 * (1.5 + 2.0 * (n + 0.5) / 16) for n in range(16)],
        "egtea/test": [24 * (n + 0.5) / 16 for n in range(16)],
    }
    for split, numbers in expected.items():
        assert shown[split] == pytest.approx(numbers, abs=0.51)


def test_the_papers_own_boxes_join_the_hand_and_the_object_its_offset_points_to(workspace: Path) -> None:
    (stream,) = (workspace / "embeddings/epic/val").glob("*/*/hand-*")
    assert stream.name == "hand-epic-100doh-h0.8-o0.01-m0-center"
    rows = _rows(workspace, "embeddings/epic/val/*/*/hand-*/*.parquet")
    assert len(rows) == 16
    assert not any(row["whole_frame"] for row in rows)
    (stream,) = (workspace / "embeddings/ego4d/val").glob("*/*/hand-*")
    assert stream.name == "hand-boxes-boxes-h0.5-o0.01-m0-center"


def test_a_run_is_evaluated_across_datasets_and_the_result_carries_the_split(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "epic", "--method", "zero-shot", "--classify", "full", "-w", str(workspace)]
    assert run(train) == 0
    capsys.readouterr()
    assert run(["evaluate", "--cross", "ego4d", "--cross", "egtea", "-w", str(workspace), "--json"]) == 0
    results = {result["target"]["dataset"]: result for result in json.loads(capsys.readouterr().out)["results"]}
    clips = {name: result["labels"]["noun"]["n_evaluated"] for name, result in results.items()}
    assert clips == {"epic": 1, "ego4d": 1, "egtea": 1}
    assert results["egtea"]["labels"]["noun"]["classes"] == 5
    noun = results["ego4d"]["vocabulary"]["noun"]
    assert noun["classes"] == {"shared": 1, "supported": 1, "unsupported": 0, "novel": 3}
    assert results["epic"]["vocabulary"] == {}
    assert run(["classes", "epic", "ego4d", "-w", str(workspace), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"]["noun"]["sha256"] == noun["sha256"]
