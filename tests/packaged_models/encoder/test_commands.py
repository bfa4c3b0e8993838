from __future__ import annotations

import json

import pytest

from packaged_models.encoder.__main__ import app
from xmic_cli.app import run_app


def test_the_packaged_encoder_is_measured_on_few_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, "python -m packaged_models.encoder", ["measure", "--clips", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["encoder"] == "pocket"
    assert [(row["domain"], row["pictures"], row["count"]) for row in found["rows"]] == [
        (domain, pictures, 2)
        for domain in ("epic", "ego4d")
        for pictures in ("one thing", "several things", "first person", "hand crops")
    ]
