from __future__ import annotations

import torch

from pipelines.hands.finetune.batches import Batch
from pipelines.hands.finetune.network import ARCHITECTURE, loss_of, make_network, weight_groups
from pipelines.hands.yolo_network import import_ultralytics
from tests.pipelines.hands.finetune.tiny import TINY_ARCHITECTURE


def test_the_packaged_architecture_is_yolo11s_smallest() -> None:
    tasks = import_ultralytics("ultralytics.nn.tasks")
    theirs = tasks.DetectionModel("yolo11n.yaml", nc=2, verbose=False).state_dict()
    ours = make_network(ARCHITECTURE, 2, 0).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}


def test_weights_depend_on_the_seed_alone() -> None:
    one, same, other = (
        make_network(TINY_ARCHITECTURE, 2, seed).state_dict()["model.0.conv.weight"] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_loss_has_gradients_with_and_without_hands() -> None:
    network = make_network(TINY_ARCHITECTURE, 2, 0)
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    hand = Batch(images, torch.zeros(1), torch.zeros(1, 1), torch.tensor([[0.5, 0.5, 0.4, 0.4]]))
    none = Batch(images, torch.zeros(0), torch.zeros(0, 1), torch.zeros(0, 4))
    for batch in (hand, none):
        loss = loss_of(network, batch)
        assert loss.dtype == torch.float32
        loss.backward()
    assert network.model[0].conv.weight.grad.abs().sum() > 0


def test_norms_and_biases_do_not_decay() -> None:
    decayed, others = weight_groups(make_network(TINY_ARCHITECTURE, 2, 0), 0.1)
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert all(weight.ndim > 1 for weight in decayed["params"])
    assert all(weight.ndim == 1 for weight in others["params"])
