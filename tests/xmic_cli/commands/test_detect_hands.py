from __future__ import annotations

from xmic_cli.app import run


def test_without_weights_it_says_which_and_the_way_around(embedded, capsys):
    assert run(["detect-hands", "-w", str(embedded.root)]) == 2
    error = capsys.readouterr().err
    assert "--weights is missing: name an Ultralytics detection model (.pt) with a class 'hand'" in error
    assert "xmic embed --streams full" in error


def test_weights_that_are_not_there_exit_3(embedded, tmp_path, capsys):
    assert run(["detect-hands", "-w", str(embedded.root), "--weights", str(tmp_path / "none.pt")]) == 3
    assert "none.pt" in capsys.readouterr().err


def test_cuda_where_there_is_none_exits_2(embedded, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(["detect-hands", "-w", str(embedded.root), "--weights", "x.pt", "--device", "cuda"]) == 2
    assert "--device cuda: PyTorch finds no CUDA device here" in capsys.readouterr().err
    assert run(["detect-hands", "-w", str(embedded.root), "--weights", "x.pt", "--device", "tpu"]) == 2
    assert "--device tpu: expected auto, cpu or cuda" in capsys.readouterr().err
