from __future__ import annotations

import pytest

from pipelines.decode.plan import FramePlan
from pipelines.decode.stage import default_plan
from pipelines.engine.workspace import Workspace
from xmic_cli.plans import note_plans


def test_which_of_several_plans_is_taken_is_said_unless_one_is_named(
    tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = {plan.slug: plan for plan in (FramePlan(segments=4, candidates=1), default_plan("val"))}
    monkeypatch.setattr("pipelines.decode.stage.decoded_plans", lambda *of: plans)
    other, taken = plans
    note_plans(Workspace(tmp_path), [("mine", "val")], None)
    said = f"mine val: frames of plan {taken} are taken; --plan names another ({other})\n"
    assert capsys.readouterr() == ("", said)
    note_plans(Workspace(tmp_path), [("mine", "val")], other)
    plans.popitem()
    note_plans(Workspace(tmp_path), [("mine", "val")], None)
    assert capsys.readouterr() == ("", "")
