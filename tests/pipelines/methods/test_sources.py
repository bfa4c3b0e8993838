from __future__ import annotations

from pipelines.methods.coop import CoOp
from pipelines.methods.sources import preset_source, setting_sources
from pipelines.methods.xmic import XMIC
from pipelines.methods.zero_shot import ZeroShot


def test_what_the_user_or_the_protocol_decides_is_said_before_the_presets_source():
    found = setting_sources(XMIC, "paper", given={"lr"}, decided={"segments"})
    assert (found["lr"], found["segments"]) == ("--set", "the protocol")
    assert found["betas"] == "X-MIC paper, Sec. 4.2"


def test_a_setting_that_the_preset_leaves_alone_has_the_source_of_its_default():
    found = setting_sources(CoOp, "xmic-code")
    assert found["context"].startswith("CoOp's code")
    assert found["full_stop"] == preset_source(CoOp, "xmic-code")
    assert found["class_chunk"] == "ours: results do not depend on it"


def test_a_method_that_does_not_train_has_no_recipe():
    assert set(setting_sources(ZeroShot, "official")) == {"frame_pool"}
