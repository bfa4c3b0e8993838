from __future__ import annotations

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
