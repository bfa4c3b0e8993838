from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.engine.workspace import DatasetSettings, Workspace
from xmic_cli.app import run


def test_an_unknown_key_exits_3_and_names_the_nearest(tmp_path, capsys):
    file = tmp_path / "xmic.toml"
    file.write_text('[[dataset]]\nname = "a"\nreader = "table"\nfile = ["x.csv"]\n[embed]\nencoder = "x"\n')
    assert run(["run", str(file)]) == 3
    assert "unknown key dataset.0.file; the nearest known key is files" in capsys.readouterr().err


def test_a_dry_run_says_the_first_step_and_what_follows(tmp_path, capsys):
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\n")
    file = tmp_path / "xmic.toml"
    file.write_text('[[dataset]]\nname = "a"\nreader = "table"\nfiles = ["val=clips.csv"]\n[embed]\nencoder = "x:y"\n')
    assert run(["run", str(file), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "clips.parquet: not made yet" in out
    assert "then: decode, detect-hands, embed, train, evaluate, report" in out
    assert not (tmp_path / "xmic-work").exists()


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ('[evaluate]\ncross = ["ego4d"]\n', "[evaluate] cross"),
        ('[[train]]\ndataset = "ego4d"\n', "[[train]] dataset"),
        ('[[train]]\nselect = "target"\ntarget = "ego4d:val"\n', "[[train]] target"),
    ],
)
@pytest.mark.parametrize("option", [[], ["--dry-run"], ["--list-cells"]])
def test_a_dataset_that_is_nowhere_is_an_error_before_anything_runs(tmp_path, capsys, more, place, option):
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\n")
    file = tmp_path / "xmic.toml"
    head = '[[dataset]]\nname = "a"\nreader = "table"\nfiles = ["val=clips.csv"]\n[embed]\nencoder = "x:y"\n'
    file.write_text(head + more)
    assert run(["run", str(file), *option]) == 3
    error = capsys.readouterr().err
    assert f"{place}: 'ego4d' is no [[dataset]] of this file, and none that is prepared in {tmp_path}" in error
    assert "Known: a. Add a [[dataset]]" in error
    assert not (tmp_path / "xmic-work").exists()


def test_a_dataset_that_is_prepared_already_need_not_stand_in_the_file(tmp_path, capsys):
    (tmp_path / "clips.csv").write_text("video,start_s,stop_s,verb,noun\na.mp4,0,1,cut,bread\n")
    work = tmp_path / "work"
    assert run(["prepare", "table", f"val={tmp_path}/clips.csv", "--name", "other", "-w", str(work)]) == 0
    file = tmp_path / "xmic.toml"
    head = '[[dataset]]\nname = "a"\nreader = "table"\nfiles = ["val=clips.csv"]\n[embed]\nencoder = "x:y"\n'
    file.write_text(head + '[evaluate]\ncross = ["other"]\n')
    assert run(["run", str(file), "--dry-run", "-w", str(work)]) == 0
    assert run(["run", str(file), "--dry-run"]) == 3
    capsys.readouterr()
    file.write_text(head + '[evaluate]\nsplit = "dev"\n')
    assert run(["run", str(file), "--dry-run"]) == 2
    assert "[evaluate] split 'dev': expected train, val" in capsys.readouterr().err


GRID = """
workspace = "work"
hands = false
[[dataset]]
name = "mine"
reader = "table"
files = ["clips.csv"]
videos = ["."]
[decode]
segments = 2
short_side = 64
[embed]
encoder = "pocket"
prompt = ["{}", "a photo of {}"]
batch_size = 4
[[train]]
method = "zero-shot"
[[train]]
method = "xmic"
label = "noun"
set = { n1 = [true, false], epochs = 1, batch = 2 }
"""


CONTROL = GRID.replace('prompt = ["{}", "a photo of {}"]', "").replace("[true, false]", "true")
CONTROL += '[evaluate]\nxmic_vector = "mean"\n'


@pytest.fixture
def grid(tmp_path, make_video, monkeypatch):
    rows = ["video,start_s,stop_s,verb,noun,split"]
    for number, split in enumerate(("train", "val")):
        make_video(tmp_path / f"{split}.mp4", seconds=1, fps=12, start_pts=number)
        rows += [f"{split}.mp4,0,0.5,cut,bread,{split}", f"{split}.mp4,0.5,1,stir,pan,{split}"]
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "xmic.toml").write_text(GRID)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(capsys):
    capsys.readouterr()
    assert run(["run", "--list-cells", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["cells"]


def test_a_grid_runs_cell_by_cell_or_as_a_whole_and_no_cell_twice(grid, capsys):
    cells = listed(capsys)
    assert [(cell["cell"], cell["method"], cell["varies"]) for cell in cells[1:4]] == [
        (1, "xmic", {"embed.prompt": "{}", "set.n1": True}),
        (2, "xmic", {"embed.prompt": "{}", "set.n1": False}),
        (3, "zero-shot", {"embed.prompt": "a photo of {}"}),
    ]
    assert {(cell["run"], cell["finished"]) for cell in cells} == {(None, False)}
    assert not (grid / "work").exists()

    assert run(["run", "--cell", "2", "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert [made["trained"] for made in alone["runs"]] == [["noun"]]
    assert alone["report"] == {}
    weights = next(grid.glob("work/runs/xmic-*/noun/weights.safetensors"))
    before = weights.stat().st_mtime_ns
    assert [cell["finished"] for cell in listed(capsys)] == [False, False, True, False, False, False]
    assert listed(capsys)[2]["run"] == alone["runs"][0]["run"]

    assert run(["run", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert [made["trained"] for made in whole["runs"]] == [
        *(["noun", "verb"], ["noun"], []),
        *(["noun", "verb"], ["noun"], ["noun"]),
    ]
    assert len({made["run"] for made in whole["runs"]}) == 6
    # Frames are embedded once for both prompts; each prompt has its names of two labels.
    assert [item["stage"] for item in whole["stages"]].count("embed") == 2
    assert [item["stage"] for item in whole["stages"]].count("embed text") == 4
    assert weights.stat().st_mtime_ns == before
    assert all(cell["finished"] for cell in listed(capsys))
    assert whole["report"]

    assert run(["run"]) == 0
    assert "nothing to do: everything was up to date" in capsys.readouterr().out
    assert run(["run", "--list-cells"]) == 0
    assert "2\txmic\tembed.prompt={} set.n1=False\txmic-official-mine-s0-" in capsys.readouterr().out

    # A control of a run that is there trains nothing, and stands beside the run's own evaluation.
    (grid / "xmic.toml").write_text(CONTROL.replace('[[train]]\nmethod = "zero-shot"\n', ""))
    assert [(cell["run"], cell["finished"]) for cell in listed(capsys)] == [(whole["runs"][1]["run"], False)]
    assert run(["run", "--json"]) == 0
    control = json.loads(capsys.readouterr().out)
    assert control["runs"][0]["trained"] == []
    assert [metrics["xmic_vector"] for metrics in control["evaluations"]] == ["mean"]
    assert (grid / "work" / "evaluations" / f"{whole['runs'][1]['run']}@mean").is_dir()
    assert [cell["finished"] for cell in listed(capsys)] == [True]


def test_a_wrong_setting_of_any_cell_is_refused_before_anything_runs(grid, capsys):
    (grid / "xmic.toml").write_text(GRID.replace("n1 =", "n9 ="))
    assert run(["run"]) == 2
    assert "--set n9: xmic has no such setting" in capsys.readouterr().err
    assert not (grid / "work").exists()
    assert run(["run", "--cell", "6"]) == 3
    assert "its cells are 0 to 5. See xmic run xmic.toml --list-cells" in capsys.readouterr().err


def test_a_control_of_a_method_without_the_vector_is_refused_before_anything_runs(grid, capsys):
    (grid / "xmic.toml").write_text(CONTROL)
    assert run(["run"]) == 2
    assert "--xmic-vector mean: zero-shot has no X-MIC vector" in capsys.readouterr().err
    assert not (grid / "work").exists()


def test_a_grid_without_training_has_a_cell_for_each_embedding(grid, capsys):
    (grid / "xmic.toml").write_text(GRID[: GRID.index("[[train]]")])
    assert [(cell["method"], cell["finished"]) for cell in listed(capsys)] == [(None, None), (None, None)]
    assert run(["run", "--list-cells"]) == 0
    assert "1\t\tembed.prompt=a photo of {}\t\tnothing to train\n" in capsys.readouterr().out


def with_boxes(folder, file, segments=2):
    """A file that imports boxes and trains X-MIC on them."""
    if not (folder / file).exists():
        rows = [f"{video},{n / 10},0.2,0.2,0.8,0.8,0.9" for video in ("train.mp4", "val.mp4") for n in range(11)]
        (folder / file).write_text("\n".join(["video,time_s,x0,y0,x1,y1,score", *rows]) + "\n")
    hands = f'[hands]\ndetector = "boxes"\nboxes = "{file}"\nboxes_tolerance = 1.0\n[decode]'
    text = (
        GRID.replace("hands = false\n", "").replace("[decode]", hands).replace("segments = 2", f"segments = {segments}")
    )
    text = text.replace('prompt = ["{}", "a photo of {}"]', "").replace("[true, false]", "true")
    (folder / "xmic.toml").write_text(text.replace('[[train]]\nmethod = "zero-shot"\n', ""))


def made(capsys):
    capsys.readouterr()
    assert run(["run", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    return answer["made"], json.loads(Path(answer["runs"][0]["folder"], "noun", "config.json").read_text())["protocol"]


def test_the_boxes_and_frames_of_the_file_are_used_where_the_workspace_has_others_too(grid, capsys):
    with_boxes(grid, "one.csv")
    assert made(capsys)[1]["hands"].startswith("hand-boxes-one-")
    with_boxes(grid, "two.csv")
    assert made(capsys)[1]["hands"].startswith("hand-boxes-two-")
    with_boxes(grid, "two.csv", segments=4)
    assert made(capsys)[1]["segments"] == 4
    assert all(cell["finished"] for cell in listed(capsys))
    with_boxes(grid, "one.csv")
    count, protocol = made(capsys)
    assert (count, protocol["segments"], protocol["hands"][:15]) == (0, 2, "hand-boxes-one-")


def test_hands_that_are_off_are_said_and_no_training_may_ask_for_them(grid, capsys):
    (grid / "xmic.toml").write_text(GRID.replace('label = "noun"', 'label = "noun"\nstreams = "hand"'))
    assert run(["run"]) == 2
    assert "[[train]] streams = 'hand': hands = false switches the hands of mine off" in capsys.readouterr().err
    assert not (grid / "work").exists()
    (grid / "xmic.toml").write_text(GRID[: GRID.index("[[train]]")])
    assert run(["run"]) == 0
    assert "hands = false: no hands are looked for in mine; methods see full frames only" in capsys.readouterr().err


def test_validation_is_val_in_the_file_too(grid, capsys):
    (grid / "xmic.toml").write_text(f'{GRID}[evaluate]\nsplit = "validation"\n')
    assert run(["run", "--dry-run"]) == 0


def test_the_folder_with_an_xmic_toml_has_its_workspace_unless_another_is_named(grid, capsys, monkeypatch):
    monkeypatch.delenv("XMIC_WORKSPACE", raising=False)
    assert run(["prepare", "table", "clips.csv", "--name", "mine"]) == 0
    assert capsys.readouterr().err.count("workspace work, by xmic.toml") == 1
    assert (grid / "work" / "workspace.toml").is_file()
    for options, variable, folder in (
        (["-w", "given"], "by_variable", "given"),
        ([], "by_variable", "by_variable"),
    ):
        monkeypatch.setenv("XMIC_WORKSPACE", variable)
        for command in (["status"], ["run", "--dry-run"]):
            run([*command, *options])
            error = capsys.readouterr().err
            assert "by xmic.toml" not in error
            assert folder in error
    monkeypatch.delenv("XMIC_WORKSPACE")
    (grid / "xmic.toml").write_text("workspace = 3\n")
    assert run(["status"]) == 3
    assert "xmic.toml: workspace is 3; expected the name of a folder" in capsys.readouterr().err
    (grid / "xmic.toml").write_text("workspace =\n")
    assert run(["status"]) == 3
    assert "xmic.toml: not valid TOML" in capsys.readouterr().err
    (grid / "xmic.toml").unlink()
    assert run(["status"]) == 5
    assert "xmic-work: no dataset is prepared" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shard", "0/2"], "--shard 0/2: it is for a single step; name it with --only decode|detect-hands|embed."),
        (["--allow-partial"], "--allow-partial: it is for a single step; name it with --only"),
        (
            ["--only", "prepare", "--shard", "0/2"],
            "--shard 0/2: prepare has no shares; run it once, before",
        ),
        (["--only", "decode", "--cell", "0"], "--only decode and --cell: leave one of the two out."),
        (["--only", "decode", "--list-cells"], "--only decode and --list-cells: leave one of the two out."),
        (["--only", "decode", "--dry-run"], "--only decode and --dry-run: leave one of the two out."),
        (["--only", "train"], "--only train: expected prepare, decode, detect-hands or embed"),
    ],
)
def test_options_of_one_step_and_of_the_whole_chain_do_not_mix(tmp_path, capsys, options, said):
    assert run(["run", str(tmp_path / "xmic.toml"), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_single_step_makes_its_share_and_the_next_waits_for_all_of_it(tmp_path, capsys, make_video):
    rows = ["video,start_s,stop_s,verb,noun"]
    for number in range(6):
        make_video(tmp_path / f"{number}.mp4", seconds=0.5, fps=12)
        rows.append(f"{number}.mp4,0,0.5,cut,bread")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    file = tmp_path / "xmic.toml"
    file.write_text(
        'workspace = "w"\nhands = false\n[[dataset]]\nname = "a"\nreader = "table"\nfiles = ["val=clips.csv"]\n'
        'videos = ["."]\n[decode]\nsegments = 2\n[embed]\nencoder = "pocket"\n'
    )
    workspace = Workspace.open(tmp_path / "w")
    with workspace.changing():
        workspace.datasets["a"] = DatasetSettings("table", (str(tmp_path),), 8)

    def step(name, *options):
        capsys.readouterr()
        code = run(["run", str(file), "--only", name, "--json", *options])
        return code, json.loads(capsys.readouterr().out)

    code, prepared = step("prepare")
    assert (code, prepared["prepared"][0]["dataset"], prepared["stages"]) == (0, "a", [])
    code, first = step("decode", "--shard", "0/2")
    (decode,) = first["stages"]
    assert code == 0
    assert 0 < decode["made"] < decode["shards"] == decode["made"] + decode["remaining"]
    code, refused = step("embed")
    assert code == 5
    assert "cannot be made yet. The first, " in refused["error"]
    assert "run xmic decode a --split val" in refused["error"]
    assert step("embed", "--shard", "0/2")[1]["stages"][0]["made"] == decode["made"]
    assert step("embed", "--shard", "1/2")[0] == 5
    assert step("decode", "--shard", "1/2")[1]["stages"][0]["made"] == decode["remaining"]
    assert step("embed")[1]["stages"][0]["made"] == decode["remaining"]
