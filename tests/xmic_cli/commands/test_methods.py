from __future__ import annotations

import json

from xmic_cli.app import run


def test_the_list_has_every_method_with_what_it_trains(capsys):
    assert run(["methods"]) == 0
    rows = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert rows["zero-shot"].startswith("0\tframe_vectors, text_vectors\tofficial, xmic-code, paper\t")
    assert rows["xmic"].startswith("3,594,657\t")


def test_one_method_shows_presets_and_settings(capsys):
    assert run(["methods", "xmic", "--dim-v2", "1024"]) == 0
    out = capsys.readouterr().out
    assert "official\t14,299,457\tX-MIC's released code (Annusha/xmic, XMIC_vitb16)\n" in out
    assert "paper\tlr\t1e-06\tX-MIC paper, Sec. 4.2\n" in out
    assert "n1\ttrue\ttrue | false\tnormalise the conditioning frame vectors\tX-MIC paper, Eq. 1" in out


def test_json_has_the_same(capsys):
    assert run(["methods", "--json", "--dim", "768"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["widths"] == {"dim": 768, "dim_v2": 768, "text": 512, "visual": 768, "visual_layers": 12}
    assert {item["name"] for item in found["methods"]} >= {"zero-shot", "xmic"}
    assert run(["methods", "xmik"]) == 2
    assert "Did you mean 'xmic'?" in capsys.readouterr().err
