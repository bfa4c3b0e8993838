from __future__ import annotations

import json

import pytest

from packaged_models.encoder.__main__ import app
from tests.packaged_models.encoder.kinds import KINDS
from xmic_cli.app import run_app

NAME = "python -m packaged_models.encoder"


def test_the_packaged_encoder_is_measured_on_few_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, NAME, ["measure", "--clips", "2", "--seed", "7", "--seed", "8", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["encoder"].startswith("pocket-")
    assert found["seeds"] == [7, 8]
    assert [(row["domain"], row["label"], row["pictures"], row["clips"]) for row in found["rows"]] == [
        (domain, label, pictures, 4) for domain in ("epic", "ego4d") for label, pictures in KINDS
    ]
    assert [(one["domain"], one["label"]) for one in found["verdicts"]] == [
        ("epic", "noun"),
        ("epic", "verb"),
        ("ego4d", "noun"),
        ("ego4d", "verb"),
    ]
    assert "too narrow to trust" in printed.err


def test_the_table_ends_with_a_verdict_per_domain_and_label(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, NAME, ["measure", "--clips", "1", "--seed", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("domain\tlabel\tpictures\ttop-1 %")
    assert len(lines) == 1 + 12 + 4
    assert [line.split(":")[0] for line in lines[-4:]] == ["epic nouns", "epic verbs", "ego4d nouns", "ego4d verbs"]
