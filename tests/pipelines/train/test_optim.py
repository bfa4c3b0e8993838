from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from data_manifests.errors import UsageError
from pipelines.methods.recipe import PAPER, Recipe
from pipelines.train.optim import learning_rate, load_state, make_optimiser


def test_the_default_recipe_warms_up_over_five_epochs_and_stays() -> None:
    rates = [learning_rate(Recipe(), epoch) for epoch in range(15)]
    assert rates == pytest.approx([1e-7, 1e-4, 2e-4, 3e-4, 4e-4, *[5e-4] * 10])


def test_the_papers_recipe_is_constant() -> None:
    recipe = Recipe(**PAPER)
    assert {learning_rate(recipe, epoch) for epoch in range(recipe.epochs)} == {1e-6}
    assert (recipe.betas, recipe.weight_decay, recipe.epochs) == ((0.9, 0.999), 0.01, 15)


def test_the_default_recipe_is_that_of_the_official_code() -> None:
    recipe = Recipe()
    assert (recipe.betas, recipe.weight_decay, recipe.epochs, recipe.batch) == ((0.9, 0.98), 0.01, 15, 128)


def test_a_warm_up_of_one_epoch_has_only_the_first_rate() -> None:
    recipe = Recipe(warmup_epochs=1, lr=1e-3)
    assert [learning_rate(recipe, epoch) for epoch in range(3)] == [1e-7, 1e-3, 1e-3]


def test_a_cosine_begins_after_the_warm_up_and_counts_all_epochs() -> None:
    recipe = Recipe(schedule="cosine", lr=2e-3, warmup_epochs=1, warmup_lr=1e-5, epochs=4)
    rates = [learning_rate(recipe, epoch) for epoch in range(4)]
    assert rates == pytest.approx([1e-5, 2e-3, 2e-3 * (1 + 0.5**0.5) / 2, 1e-3])


def test_sgd_has_momentum() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimiser = make_optimiser(
        Recipe(optimiser="sgd", momentum=0.5, lr=1.0, warmup_epochs=0, weight_decay=0.0), [weight]
    )
    for expected in (-1.0, -2.5):
        weight.grad = torch.ones(1)
        optimiser.step()
        assert weight.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_a_cpu_steps_as_plainly_after_a_state_of_cuda(kind: Any) -> None:
    weights = [nn.Parameter(torch.ones(3)) for _ in range(2)]
    plain, resumed = (make_optimiser(Recipe(optimiser=kind), [weight]) for weight in weights)
    for weight, optimiser in zip(weights, (plain, resumed), strict=True):
        weight.grad = torch.ones(3)
        optimiser.step()
    state = plain.state_dict()
    state["param_groups"] = [{**group, "fused": True, "lr": 0.25} for group in state["param_groups"]]
    load_state(resumed, state)
    assert [(group["fused"], group["lr"]) for group in resumed.param_groups] == [(None, 0.25)]
    assert state["param_groups"][0]["fused"] is True


def test_weight_decay_reaches_every_tensor() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    optimiser = make_optimiser(Recipe(weight_decay=0.25, warmup_epochs=0, lr=0.5), model.parameters())
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for old, new in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old * (1 - 0.5 * 0.25))


def test_every_setting_explains_itself() -> None:
    assert all(field.metadata["help"] for field in Recipe.__dataclass_fields__.values())


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"lr": -1.0}, r"lr=-1\.0: expected 0 or more"),
        ({"weight_decay": -0.1}, r"weight_decay=-0\.1: expected 0 or more"),
        ({"warmup_epochs": -1}, "warmup_epochs=-1: expected 0 or more"),
        ({"warmup_lr": -1e-7}, "warmup_lr=-1e-07: expected 0 or more"),
        ({"epochs": 0}, "epochs=0: expected 1 or more"),
        ({"batch": 0}, "batch=0: expected 1 or more"),
        ({"momentum": 1.0}, r"momentum=1\.0: expected from 0 to below 1"),
        ({"betas": (0.9, 1.0)}, r"betas=0\.9,1\.0: expected both from 0 to below 1"),
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Recipe(**wrong)
