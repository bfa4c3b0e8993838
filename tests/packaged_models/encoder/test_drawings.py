from __future__ import annotations

import numpy as np
import pytest

from packaged_models.encoder.drawings import Drawings
from packaged_models.encoder.pictures import DRAWN
from pipelines.engine.progress import Silent
from pocket_kitchens.drawing.objects import KINDS, draw_object
from pocket_kitchens.world import INSTANCES


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Drawings:
    made = Drawings(tmp_path_factory.mktemp("drawings"), 2, 0, 0)
    made.draw_things(2, Silent())
    return made


def test_things_are_the_first_instances_that_no_world_has(drawings: Drawings) -> None:
    things = drawings.things()
    assert len(things) == len(KINDS)
    first = INSTANCES["pretraining"].start
    assert np.array_equal(things[7][1], draw_object(KINDS[7], first + 1, DRAWN))
    assert first >= max(INSTANCES["train"].stop, INSTANCES["test"].stop)


def test_a_lost_file_comes_back_the_same_and_the_others_are_kept(drawings: Drawings) -> None:
    files = sorted(drawings.folder.rglob("*.npy"))
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    files[3].unlink()
    drawings.draw_things(1, Silent())
    assert {file: file.read_bytes() for file in files} == {file: held for file, (held, _) in before.items()}
    assert [file for file in files if file.stat().st_mtime_ns != before[file][1]] == [files[3]]
