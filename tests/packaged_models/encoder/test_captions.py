from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from packaged_models.encoder.captions import VERBS, caption_of_action, caption_of_things, doing, known_words
from pipelines.embed.encoders.spec import POCKET_WORDS


def test_a_thing_is_mentioned_in_proportion_to_its_area() -> None:
    rng = np.random.default_rng(0)
    captions = [caption_of_things([("carrot", 300.0), ("lemon", 100.0)], rng) for _ in range(4000)]
    alone = Counter("carrot" in caption for caption in captions if ("carrot" in caption) != ("lemon" in caption))
    assert alone[True] / sum(alone.values()) == pytest.approx(0.75, abs=0.03)
    assert sum("carrot" in caption and "lemon" in caption for caption in captions) > 800


@pytest.mark.parametrize(
    ("verb", "form"),
    [("pick up", "picking up"), ("put down", "putting down"), ("close", "closing"), ("cut", "cutting"),
     ("stir", "stirring"), ("shake", "shaking"), ("open", "opening"), ("squeeze", "squeezing"), ("grab", "grabbing"),
     ("push", "pushing"), ("turn", "turning"), ("take", "taking"), ("peel", "peeling"), ("pour", "pouring")],
)  # fmt: skip
def test_verbs_take_their_ing_form(verb: str, form: str) -> None:
    assert doing(verb) == form


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_told_in_some_captions_and_left_out_of_others(verb: str) -> None:
    rng = np.random.default_rng(1)
    captions = [caption_of_action(verb, "jar", rng) for _ in range(300)]
    told = [caption for caption in captions if verb in caption or doing(verb) in caption]
    assert 100 < len(told) < 290
    assert any(caption == verb for caption in captions)
    assert any("jar" in caption for caption in captions)


def test_other_names_of_a_class_occur_and_articles_fit() -> None:
    rng = np.random.default_rng(2)
    captions = [caption_of_things([("cup", 1.0)], rng) for _ in range(400)]
    assert sum("mug" in caption for caption in captions) > 20
    apples = " ".join(caption_of_things([("apple", 1.0)], rng) for _ in range(200))
    assert "an apple" in apples
    assert "a apple" not in apples


def test_the_words_beside_the_packaged_weights_are_those_of_the_captions() -> None:
    assert json.loads(POCKET_WORDS.read_text(encoding="utf-8")) == known_words()
