from __future__ import annotations

from xmic_cli.app import run

BROKEN = """
from pipelines.methods.zero_shot import ZeroShot

class Mine(ZeroShot):
    name = "mine"

    def forward(self, batch, text):
        return super().forward(batch, text)[:, :5]
"""


def test_a_line_a_promise_and_exit_3_when_one_is_broken(tmp_path, monkeypatch, capsys):
    (tmp_path / "broken_plugin.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["check-plugin", "broken_plugin:Mine"]) == 3
    shown = capsys.readouterr()
    assert "FAIL       takes classes it was not trained on: logits [4, 5] for 7 classes\n" in shown.out
    assert "pass       gives finite float32 logits [B, C]\n" in shown.out
    assert shown.err == "error: broken_plugin:Mine: 1 of 10 promises of a method are broken.\n"


def test_a_good_one_exits_0(capsys):
    assert run(["check-plugin", "pipelines.methods.zero_shot:ZeroShot"]) == 0
    assert "FAIL" not in capsys.readouterr().out


def test_wrong_words_exit_2(capsys):
    assert run(["check-plugin", "pipelines.methods.zero_shot:ZeroShot", "--kind", "model"]) == 2
    assert "--kind model: expected method, encoder, detector or reader" in capsys.readouterr().err
    assert run(["check-plugin", "pipelines.methods.zero_shot:Zero"]) == 2
    assert "Did you mean 'ZeroShot'?" in capsys.readouterr().err
