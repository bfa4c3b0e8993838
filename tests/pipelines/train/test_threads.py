"""How many threads make a training step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipelines.train.threads import FLOP_A_THREAD, threads_for
from tests.pipelines.one_thread import threads
from tests.pipelines.train.loop_world import train

SIDE = 256
"""A product of two square matrices of this side is 2 · 256³ = 3.4e7 operations."""


def products(count: int, done: list[int] | None = None) -> None:
    square = torch.ones(SIDE, SIDE)
    for number in range(count):
        torch.mm(square, square)
        if done is not None:
            done.append(number)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (29, 1), (60, 2), (90, 3)])
def test_a_thread_is_given_for_every_share_of_the_arithmetic(count: int, expected: int) -> None:
    assert int(2 * SIDE**3 * count / FLOP_A_THREAD) in (expected, expected - 1)
    assert threads_for(lambda: products(count), 8) == expected


def test_a_pass_that_keeps_all_threads_busy_is_ended_there() -> None:
    done: list[int] = []
    assert threads_for(lambda: products(1000, done), 2) == 2
    assert len(done) == int(2 * FLOP_A_THREAD / (2 * SIDE**3))


def test_what_the_pass_draws_is_drawn_again() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    layer = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5))
    before = torch.get_rng_state()
    assert threads_for(lambda: layer(torch.rand(4, 8)), 4) == 1
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(4), expected)


def test_a_small_training_takes_one_thread_and_gives_the_others_back(tmp_path) -> None:
    seen: list[int] = []
    with threads(2):
        train(tmp_path, stop=lambda: seen.append(torch.get_num_threads()))  # type: ignore[func-returns-value]
        assert torch.get_num_threads() == 2
    assert set(seen) == {1}
