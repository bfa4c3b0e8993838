from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from data_manifests.errors import InputError
from pipelines.engine.progress import Silent
from pipelines.engine.sealed import read_sealed
from pipelines.engine.training_state import write_state
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import Method, build_method
from pipelines.methods.recipe import Recipe
from pipelines.methods.xmic import XMIC, XMICConfig
from pipelines.train.checkpoint import (
    Checkpoint,
    TrainProgress,
    is_finished,
    load_weights,
    trained_tensors,
    write_weights,
)
from pipelines.train.optim import make_optimiser

IDENTITY = {"key": "k1", "label": "verb", "method": "xmic"}
PLACE = TrainProgress(epoch=2, step=3, loss_sum=0.1 + 0.2, correct=7, clips=9, lines=['{"epoch": 1}', '{"epoch": 2}'])


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def xmic(seed: int = 0, segments: int = 4, train_logit_scale: bool = True) -> Method:
    config = XMICConfig(segments, heads=2, bottleneck=2.0, head_ratio=2, train_logit_scale=train_logit_scale)
    return build_method(XMIC, config, Backbone(8, 8, 100.0), seed=seed)


def checkpoint(folder: Path, method: Method, device: str = "cpu") -> Checkpoint:
    optimiser = make_optimiser(Recipe(), method.parameters())
    return Checkpoint(folder, IDENTITY, method, optimiser, torch.device(device))


def test_a_restored_training_has_its_place_tensors_averages_and_generator(tmp_path: Path) -> None:
    first = checkpoint(tmp_path, xmic(seed=1))
    for parameter in first.method.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    first.optimiser.step()
    torch.manual_seed(8)
    first.save(PLACE)
    drawn = torch.rand(3)

    second = checkpoint(tmp_path, xmic(seed=2))
    assert second.restore(Silent()) == PLACE
    assert torch.equal(torch.rand(3), drawn)
    torch.testing.assert_close(dict(second.method.state_dict()), dict(first.method.state_dict()), rtol=0, atol=0)
    states = [one.optimiser.state_dict()["state"] for one in (first, second)]
    assert states[0].keys() == states[1].keys() != set()
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)


def test_without_a_state_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert checkpoint(tmp_path, xmic()).restore(Silent()) is None


def test_a_state_holds_only_what_torch_loads_without_running_code(tmp_path: Path) -> None:
    checkpoint(tmp_path, xmic()).save(PLACE)
    state = torch.load(io.BytesIO(read_sealed(tmp_path / "state.pt")), weights_only=True)
    assert (state["identity"], state["threads"]) == (IDENTITY, torch.get_num_threads())


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "bit"])
def test_a_damaged_state_is_refused_with_what_to_do(tmp_path: Path, damage: str) -> None:
    checkpoint(tmp_path, xmic()).save(PLACE)
    path = tmp_path / "state.pt"
    content = bytearray(path.read_bytes())
    if damage == "other":
        write_state(path, {"identity": IDENTITY})
    elif damage == "bit":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: 500 if damage == "cut" else 0])
    with pytest.raises(
        InputError, match=r"state\.pt is (damaged|no state of a training) \(.*Remove it to train from the"
    ):
        checkpoint(tmp_path, xmic()).restore(Silent())


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_machine_that_will_not_read_the_state_is_no_reason_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    checkpoint(tmp_path, xmic()).save(PLACE)

    def refuses(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("torch.load", refuses)
    with pytest.raises(type(error)):
        checkpoint(tmp_path, xmic()).restore(Silent())


def test_a_state_of_another_configuration_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path, xmic(segments=4)).save(PLACE)
    with pytest.raises(
        InputError,
        match=r"state\.pt: tensor positions has shape \[4, 8\] there and \[5, 8\] in the method as configured",
    ):
        checkpoint(tmp_path, xmic(segments=5)).restore(Silent())


def test_a_change_of_device_is_told(tmp_path: Path) -> None:
    checkpoint(tmp_path, xmic()).save(PLACE)
    notes = Notes()
    checkpoint(tmp_path, xmic(), device="meta").restore(notes)
    assert notes.texts == [
        "trained on cpu so far, now on meta: the weights will not be byte-identical to an uninterrupted training's"
    ]


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    first, second = xmic(seed=1), xmic(seed=2)
    write_weights(tmp_path / "w.safetensors", trained_tensors(first), IDENTITY)
    assert load_weights(second, tmp_path / "w.safetensors") == IDENTITY
    torch.testing.assert_close(dict(second.state_dict()), dict(first.state_dict()), rtol=0, atol=0)


def test_only_trained_tensors_are_saved(tmp_path: Path) -> None:
    method = xmic(train_logit_scale=False)
    write_weights(tmp_path / "w.safetensors", trained_tensors(method), IDENTITY)
    saved = load_file(tmp_path / "w.safetensors")
    assert "logit_scale" not in saved
    assert set(saved) | {"logit_scale"} == set(method.state_dict())


def test_equal_weights_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    code = (
        "import sys, torch; from pathlib import Path; from pipelines.train.checkpoint import write_weights\n"
        f"write_weights(Path(sys.argv[1]), {{'b': torch.ones(3), 'a': torch.zeros(2, 2)}}, {IDENTITY!r})"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "other")], cwd=root, check=True)
    tensors = {"a": torch.zeros(2, 2), "b": torch.ones(3)}
    write_weights(tmp_path / "own", tensors, dict(reversed(IDENTITY.items())))
    assert (tmp_path / "own").read_bytes() == (tmp_path / "other").read_bytes()


def test_the_header_is_aligned_ordered_and_readable_by_the_library(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, {"a": torch.arange(5.0), "b": torch.tensor(2.0)}, {**IDENTITY, "key": "k" * 31})
    blob = path.read_bytes()
    size = int.from_bytes(blob[:8], "little")
    assert size % 8 == 0
    assert list(json.loads(blob[8 : 8 + size])["__metadata__"]) == ["key", "label", "method"]
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["key"] == "k" * 31
        assert file.get_tensor("a").tolist() == [0, 1, 2, 3, 4]
        assert file.get_tensor("b").shape == ()


@pytest.mark.parametrize(
    ("segments", "text"),
    [
        (5, r"tensor positions has shape \[4, 8\] there and \[5, 8\]"),
        (4, r"tensor logit_scale has shape \[\] there and none"),
    ],
)
def test_weights_of_another_configuration_are_refused(tmp_path: Path, segments: int, text: str) -> None:
    write_weights(tmp_path / "w.safetensors", trained_tensors(xmic()), IDENTITY)
    with pytest.raises(InputError, match=text + ".*Use the configuration, encoder and code it was trained with"):
        load_weights(xmic(segments=segments, train_logit_scale=segments == 5), tmp_path / "w.safetensors")


def test_weights_of_another_method_are_refused_though_the_tensors_are_alike(tmp_path: Path) -> None:
    method = xmic()
    write_weights(tmp_path / "w.safetensors", trained_tensors(method), {**IDENTITY, "method": "late-fusion"})
    with pytest.raises(InputError, match="the weights are of method late-fusion, expected xmic"):
        load_weights(method, tmp_path / "w.safetensors")


@pytest.mark.parametrize("there", [False, True])
def test_weights_that_cannot_be_read_are_refused(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "w.safetensors"
    if there:
        path.write_bytes(b"not a safetensors file")
    with pytest.raises(InputError, match=r"w\.safetensors: cannot read the weights .* Run the same xmic train again"):
        load_weights(xmic(), path)


def test_a_damaged_weights_file_counts_as_none_and_is_told(tmp_path: Path) -> None:
    path, notes = tmp_path / "w.safetensors", Notes()
    write_weights(path, trained_tensors(xmic()), IDENTITY)
    assert is_finished(path, IDENTITY, notes)
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_finished(path, IDENTITY, notes)
    assert [text.split(" (")[0] for text in notes.texts] == [f"{path} is damaged"]
    assert not is_finished(tmp_path / "none", IDENTITY, notes)
