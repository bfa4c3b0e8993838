from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import nn

from data_manifests.errors import UsageError
from pipelines.methods import METHODS
from pipelines.methods.base import Method
from pipelines.plugin_check.method import promises
from pipelines.plugin_check.promise import try_all


@dataclass(frozen=True)
class Config:
    size: int = field(default=3, metadata={"help": "a number"})


class Good(Method):
    name = "good"
    needs = frozenset({"frame_vectors", "text_vectors"})
    config = Config
    presets = {"official": {}}  # noqa: RUF012

    def __init__(self, config, backbone):
        super().__init__(config, backbone)
        self.scale = nn.Parameter(torch.ones(backbone.dim))

    def forward(self, batch, text):
        return batch.frames.mean(1) * self.scale @ text.vectors.T


class NoHelp(Good):
    @dataclass(frozen=True)
    class Own:
        size: int = 3

    config = Own


class ARecipesName(Good):
    @dataclass(frozen=True)
    class Own:
        lr: float = field(default=0.1, metadata={"help": "x"})

    config = Own


class UnknownNeed(Good):
    needs = frozenset({"audio"})


class WrongPreset(Good):
    presets = {"official": {"sise": 4}}  # noqa: RUF012


class NotFinite(Good):
    def forward(self, batch, text):
        return super().forward(batch, text) / 0


class FixedClasses(Good):
    def forward(self, batch, text):
        return super().forward(batch, text)[:, :5]


class LooksAround(Good):
    def forward(self, batch, text):
        logits = super().forward(batch, text)
        return logits - logits.mean(0)


class OwnGenerator(Good):
    def __init__(self, config, backbone):
        super().__init__(config, backbone)
        self.scale = nn.Parameter(torch.randn(backbone.dim, generator=torch.Generator().manual_seed(id(self))))


class DeadWeight(Good):
    def __init__(self, config, backbone):
        super().__init__(config, backbone)
        self.unused = nn.Parameter(torch.zeros(2))


class HiddenState(Good):
    def __init__(self, config, backbone):
        super().__init__(config, backbone)
        self.norm = nn.BatchNorm1d(backbone.dim, affine=False)

    def forward(self, batch, text):
        return self.norm(batch.frames.mean(1)) * self.scale @ text.vectors.T


class Nothing(Good):
    def __init__(self, config, backbone):
        Method.__init__(self, config, backbone)
        self.scale = torch.ones(backbone.dim)


class OnATower(Good):
    needs = frozenset({"frame_vectors", "text_tower"})

    def __init__(self, config, backbone):
        super().__init__(config, backbone)
        self._tower = backbone.text_tower

    def forward(self, batch, text):
        tokens = self._tower.tokens(text.texts)
        vectors = self._tower.encode(self._tower.embed(tokens), tokens.argmax(1))
        return batch.frames.mean(1) * self.scale @ vectors.T


def verdicts(name):
    return try_all(promises(f"{__name__}:{name}"))


# vita-clip keeps them too, but its pixels take 18 s.
@pytest.mark.parametrize("name", [name for name in METHODS if name != "vita-clip"])
def test_the_methods_that_come_with_xmic_break_no_promise(name):
    assert [item for item in try_all(promises(name)) if item.kept is False] == []


def test_a_good_one_keeps_all():
    assert all(item.kept for item in verdicts("Good"))


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("NoHelp", "the setting size has no help"),
        ("ARecipesName", "the setting lr is named as one of the recipe"),
        ("UnknownNeed", "needs is ['audio']"),
        ("WrongPreset", "--set sise: good has no such setting"),
        ("NotFinite", "some logits are not finite"),
        ("FixedClasses", "logits [4, 5] for 7 classes"),
        ("LooksAround", "alone its logits differ"),
        ("OwnGenerator", "the tensor ['scale'] differs between two constructions"),
        ("DeadWeight", "no gradient reaches unused"),
        ("HiddenState", "norm.running_mean, norm.running_var, norm.num_batches_tracked changed in training"),
        ("Nothing", "trains is True, with 0 trained tensors"),
    ],
)
def test_each_broken_promise_is_found_and_explained(name, detail):
    broken = [item.detail for item in verdicts(name) if item.kept is False]
    assert detail in broken[0], broken


def test_what_stands_on_a_tower_is_given_that_of_the_packaged_encoder():
    assert all(item.kept for item in verdicts("OnATower"))


def test_what_is_no_method_is_a_wrong_call():
    with pytest.raises(UsageError, match="not a subclass"):
        promises("pipelines.engine.machine:Machine")
