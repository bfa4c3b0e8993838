from __future__ import annotations

import numpy as np

from packaged_models.encoder.actions import PICTURES_A_SCENE, action_scene
from packaged_models.encoder.captions import VERBS
from packaged_models.encoder.pictures import SIDE


def test_scenes_go_through_all_verbs_and_are_functions_of_seed_and_number() -> None:
    scenes = [action_scene(0, number) for number in range(3)]
    assert [scene.verb for scene in scenes] == list(VERBS[:3])
    assert scenes[0].pictures.shape == (PICTURES_A_SCENE, SIDE, SIDE, 3)
    again, other = action_scene(0, 1), action_scene(1, 1)
    assert np.array_equal(again.pictures, scenes[1].pictures)
    assert not np.array_equal(other.pictures, scenes[1].pictures)
