from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from data_manifests.errors import InputError
from pipelines.embed.encoders import weights


class RunsOnLoad:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def test_pickled_code_is_refused_and_not_run(tmp_path):
    trace, file = tmp_path / "ran", tmp_path / "w.pt"
    torch.save({"state_dict": {"a": torch.zeros(1), "b": RunsOnLoad(trace)}}, file)
    with pytest.raises(InputError, match=r"w\.pt: not readable as plain weights .* pickled models are refused"):
        weights.read_state_dict(file)
    assert not trace.exists()
    torch.load(file, weights_only=False)  # the attack is real
    assert trace.exists()


def test_the_refused_class_is_named_with_the_lines_that_keep_the_tensors_alone(tmp_path):
    file = tmp_path / "w.pth"
    torch.save({"state_dict": {"a": torch.ones(2)}, "where": Path("x")}, file)
    with pytest.raises(InputError, match=r"it holds pathlib\.\w+") as error:
        weights.read_state_dict(file)
    exec("\n".join(line.strip() for line in str(error.value).splitlines()[1:]))
    assert weights.read_state_dict(tmp_path / "w.safetensors")["a"].tolist() == [1, 1]


@pytest.mark.filterwarnings("ignore")
def test_an_archive_that_openai_did_not_publish_is_refused_with_the_lines_that_convert_it(tmp_path):
    scripted = tmp_path / "clip.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(scripted))
    with pytest.raises(InputError, match=r"clip\.pt: a TorchScript archive, which is a program, and not one") as error:
        weights.read_state_dict(scripted)
    exec("\n".join(line.strip() for line in str(error.value).splitlines()[1:]))
    assert set(weights.read_state_dict(tmp_path / "clip.safetensors")) == {"weight", "bias"}


def test_broken_files_and_files_without_tensors_are_refused(tmp_path):
    for file in (tmp_path / "w.safetensors", tmp_path / "w.bin"):
        file.write_bytes(b"no weights")
        with pytest.raises(InputError, match="not readable as plain weights"):
            weights.read_state_dict(file)
    torch.save({"epoch": 3, "teacher": {"a": torch.ones(1)}}, tmp_path / "empty.pt")
    with pytest.raises(InputError, match=r"holds no named tensors, but the keys epoch, teacher\. Expected .*'model'"):
        weights.read_state_dict(tmp_path / "empty.pt")
    torch.save([torch.ones(1)], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds no named tensors, but no names at all"):
        weights.read_state_dict(tmp_path / "list.pt")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("keys", [(), *((key,) for key in weights.WRAPPERS), ("state_dict", "model")])
def test_a_state_dict_is_found_inside_a_training_checkpoint_and_without_its_wrapper(tmp_path, keys, prefix):
    content = {f"{prefix}a": torch.ones(2), f"{prefix}b": torch.zeros(1)}
    for key in reversed(keys):
        content = {"epoch": 3, key: content}
    torch.save(content, tmp_path / "w.pt")
    assert list(weights.read_state_dict(tmp_path / "w.pt")) == ["a", "b"]


def test_a_prefix_that_not_every_name_has_is_a_part_of_the_network(tmp_path):
    save_file({"module.a": torch.ones(2), "c": torch.ones(1)}, tmp_path / "w.safetensors")
    assert set(weights.read_state_dict(tmp_path / "w.safetensors")) == {"module.a", "c"}


def test_a_misfit_names_the_file_and_the_first_few_names_of_each_kind(tmp_path):
    network = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in "abcd"})
    state = {"a.weight": torch.zeros(2, 3), "x": torch.zeros(1), "y": torch.zeros(1)}
    with pytest.raises(InputError) as error:
        weights.load_strict(network, state, tmp_path / "w.pt", "small")
    assert str(error.value) == (
        f"{tmp_path}/w.pt: not the weights of small: missing: a.bias, b.weight, b.bias and 4 more; "
        "not of this model: x, y; of another shape: a.weight [2, 3] for [2, 2]. "
        "Name the model these weights were made for."
    )


def test_half_precision_weights_fill_a_network_in_its_own_precision(tmp_path):
    network = torch.nn.Linear(2, 2)
    half = {name: value.half() for name, value in torch.nn.Linear(2, 2).state_dict().items()}
    weights.load_strict(network, half, tmp_path / "w.pt", "small")
    assert network.weight.dtype == torch.float32
    assert torch.equal(network.weight.half(), half["weight"])


def test_values_that_are_not_finite_are_refused_by_name(tmp_path):
    network = torch.nn.Linear(2, 2)
    state = {**network.state_dict(), "bias": torch.tensor([1.0, float("inf")])}
    with pytest.raises(InputError, match=r"w\.pt: not finite: bias\. Expected numbers"):
        weights.load_strict(network, state, tmp_path / "w.pt", "small")
