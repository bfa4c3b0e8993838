from __future__ import annotations

from pathlib import Path

import pytest

from data_manifests.errors import UsageError
from pipelines.plugin_check.check import check_plugin, kind_of


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("pipelines.methods.zero_shot:ZeroShot", "method"),
        ("pipelines.embed.encoders.open_clip:OpenClipEncoder", "encoder"),
        ("pipelines.hands.yolo:YoloDetector", "detector"),
        ("data_manifests.readers.epic:EpicReader", "reader"),
    ],
)
def test_what_a_class_is_shows_by_its_looks(spec, kind):
    assert kind_of(spec) == kind


def test_what_looks_like_none_of_them_is_asked_for():
    with pytest.raises(UsageError, match="Say what it is to be with --kind"):
        kind_of("pipelines.engine.machine:Machine")


def test_an_option_of_another_kind_is_refused():
    with pytest.raises(UsageError, match="--weights is for a detector, .* is checked as a method"):
        check_plugin("pipelines.methods.zero_shot:ZeroShot", "method", weights=Path("x.pt"))
