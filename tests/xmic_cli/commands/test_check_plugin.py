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


ENCODER = """
import numpy as np
from pipelines.embed.encoders.spec import EncoderIdentity

class Mine:
    dim, logit_scale = 3, None

    def __init__(self, spec, options):
        pass

    @classmethod
    def describe(cls, spec, options):
        return EncoderIdentity("mine-1", {"spec": spec, "normalised": False}, {}, {})

    def preprocess(self, picture):
        return picture.reshape(-1, 3).mean(0)

    def embed(self, inputs):
        return np.stack(inputs).astype(np.float32)
"""


def test_an_encoder_in_a_module_of_its_own_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "encoder_of_a_user.py").write_text(ENCODER)
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["check-plugin", "encoder_of_a_user:Mine"]) == 0
    assert "not tried  embeds texts, and has a logit scale: text_provenance is empty" in capsys.readouterr().out
