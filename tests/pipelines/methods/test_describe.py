from __future__ import annotations

import pytest

from data_manifests.errors import UsageError
from pipelines.methods import METHODS
from pipelines.methods.backbone import Widths
from pipelines.methods.base import ClipBatch, Method, TextBank
from pipelines.methods.describe import describe_method
from pipelines.methods.xmic import XMICConfig


@pytest.mark.parametrize(("dim", "dim_v2", "count"), [(512, 512, 3_594_657), (512, 1024, 14_299_457)])
def test_parameters_are_counted_at_the_widths_asked_for(dim, dim_v2, count):
    found = describe_method("xmic", Widths(dim, dim_v2))
    assert found.parameters == count
    # Eq. 3 has no head; where the widths differ it is one linear map.
    head = dim_v2 * (dim_v2 // 16) + dim_v2 // 16 + dim_v2 // 16 * dim + dim
    linear = 0 if dim_v2 == dim else dim_v2 * dim + dim
    assert found.presets["paper"].parameters == found.presets["recommended"].parameters == count - head + linear


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_needs_and_where_its_presets_come_from(name):
    found = describe_method(name, Widths())
    assert found.what
    assert found.needs
    assert next(iter(found.presets)) == "official"
    assert all(preset.source != "not said" for preset in found.presets.values())
    known = {**found.settings, **found.recipe}
    assert all(setting.help for setting in known.values())
    assert all(setting.source not in ("", "default of the method") for setting in known.values())
    for preset in found.presets.values():
        assert preset.sources.keys() == known.keys()
        assert all(preset.sources.values())


def test_each_setting_of_a_preset_names_the_paper_the_code_or_us():
    found = describe_method("xmic", Widths())
    assert found.presets["paper"].sources["head"].startswith("X-MIC paper, Eq. 3")
    assert found.presets["paper"].sources["lr"] == "X-MIC paper, Sec. 4.2"
    assert found.presets["paper"].sources["heads"] == "X-MIC's released code"
    assert found.presets["recommended"].sources["lr"] == "X-MIC's released code"
    assert found.presets["official"].sources["head"] == "X-MIC's released code"
    adapter = describe_method("clip-adapter", Widths()).presets["official"].sources
    assert "visual side only" in adapter["sides"]
    assert adapter["lr"].startswith("CoOp's files")
    assert "no authors' code" in describe_method("clip-adapter-temporal", Widths()).presets["official"].source


def test_a_preset_shows_only_what_differs_and_a_setting_what_it_takes():
    found = describe_method("xmic", Widths())
    assert found.presets["official"].differs == {}
    assert found.presets["paper"].differs["lr"] == 1e-6
    assert found.settings["streams"].values == "full | hand | both"
    assert found.recipe["betas"].values == "number,number"
    assert describe_method("zero-shot", Widths()).recipe == {}


@pytest.mark.parametrize(
    ("name", "count"),
    [("coop", 8_192), ("cocoop", 35_360), ("a5", 3_200_000), ("a6", 6_352_384), ("vita-clip", 28_604_417)],
)
def test_methods_on_towers_are_counted_without_the_towers(name, count):
    assert describe_method(name, Widths()).parameters == count


def test_the_towers_widths_count():
    assert describe_method("coop", Widths(768, 768, 640)).parameters == 16 * 640


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="must divide D_II = 513"):
        describe_method("xmic", Widths(512, 513))


class Own(Method):
    """One line.

    More lines.
    """

    name = "own"
    needs = frozenset({"frame_vectors"})
    config = XMICConfig
    presets = {"official": {}, "mine": {"heads": 2}}  # noqa: RUF012
    sources = {"mine": "a notebook"}  # noqa: RUF012

    def forward(self, batch: ClipBatch, text: TextBank):
        return batch.frames


def test_a_method_of_ones_own_is_described_too():
    found = describe_method(f"{__name__}:Own", Widths())
    assert found.what == "One line."
    assert {name: preset.source for name, preset in found.presets.items()} == {
        "official": "the method authors' own code",
        "mine": "a notebook",
    }
