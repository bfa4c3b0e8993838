from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from pipelines.engine.options import Doc, NumberOr, OptionError, Options, options_of


@dataclass(frozen=True)
class Sized(Options):
    """Options with a number beside which there is a word."""

    size: Annotated[int | str | None, NumberOr("auto", least=1), Doc("Size.")] = None


def test_an_option_may_take_a_word_beside_its_numbers():
    (option,) = options_of(Sized)
    assert (option.kind, option.word, option.expected, option.choices) == (int, "auto", "1 or more, or auto", ())
    assert [Sized(value).size for value in (None, 1, "auto")] == [None, 1, "auto"]


@pytest.mark.parametrize("wrong", [0, -3, "Auto", "4x", "", 3.5, True])
def test_another_word_and_a_number_out_of_bounds_are_refused(wrong):
    with pytest.raises(OptionError, match=rf"^--size {wrong}: expected 1 or more, or auto$"):
        Sized(wrong)
