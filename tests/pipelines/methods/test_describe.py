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
    assert found.presets["paper"].parameters == count


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_needs_and_where_its_presets_come_from(name):
    found = describe_method(name, Widths())
    assert found.what
    assert found.needs
    assert next(iter(found.presets)) == "official"
    assert all(preset.source != "not said" for preset in found.presets.values())
    assert all(setting.help for setting in {**found.settings, **found.recipe}.values())


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
