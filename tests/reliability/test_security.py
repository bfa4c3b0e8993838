"""A sample of the attacks; python -m tests.reliability.security makes all of them."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path

import pytest

from tests.reliability.hostile_files import Trap
from tests.reliability.security import ATTACKS, Attack, make
from tests.reliability.watch import watching

_EVERY = {"hostile files at every loader": 7, "paths and modules in a run of somebody else": 5}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attacks_hold(attack: Attack, tmp_path: Path) -> None:
    if "Chromium" in attack.name:
        pytest.skip("the pages have tests of their own; the full program opens them with scripts in their names")
    count, wrong = make(attack, tmp_path / "attack", _EVERY.get(attack.name, 1))
    assert wrong == []
    assert count


def test_what_runs_looks_up_or_connects_is_noticed(tmp_path: Path) -> None:
    with watching() as seen:
        pickle.loads(pickle.dumps(Trap(os.system, "true")))
        with pytest.raises(OSError), socket.socket() as one:
            one.settimeout(0.1)
            one.connect(("127.0.0.1", 9))
    assert [event.split(" ")[0] for event in seen] == ["pickle.find_class", "os.system", "socket.connect"]
