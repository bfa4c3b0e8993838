from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.methods import vita_clip
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank, resolve_config
from pipelines.methods.visual_tower import VisualTower
from pipelines.methods.vita_clip import VitaCLIP, VitaCLIPConfig
from pipelines.train.checkpoint import load_weights, saved_tensors, trained_tensors, write_weights
from tests.pipelines.methods.small_towers import MEAN, NAMES, STD, SmallTextTower, backbone, make, world


@pytest.fixture
def double() -> Any:
    """float64 throughout: the small text tower follows torch's default."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# A slow reference, written from the equations: one clip, one frame, one token, one head at a time.


def norm(x: np.ndarray, own: dict[str, np.ndarray], name: str) -> np.ndarray:
    spread = math.sqrt(sum((value - x.mean()) ** 2 for value in x) / len(x) + 1e-5)
    return (x - x.mean()) / spread * own[f"{name}.weight"] + own[f"{name}.bias"]


def attention(query: np.ndarray, tokens: list[np.ndarray], own: dict[str, np.ndarray], name: str) -> np.ndarray:
    """What one token takes from all, all of them normed already."""
    width, size = len(query), len(query) // 4
    projected = [own[f"{name}.in_proj_weight"] @ x + own[f"{name}.in_proj_bias"] for x in [query, *tokens]]
    mixed = []
    for head in range(4):
        part = slice(head * size, (head + 1) * size)
        keys = [x[width : 2 * width][part] for x in projected[1:]]
        weights = [math.exp(projected[0][:width][part] @ key / math.sqrt(size)) for key in keys]
        values = [x[2 * width :][part] for x in projected[1:]]
        mixed.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
    return own[f"{name}.out_proj.weight"] @ np.concatenate(mixed) + own[f"{name}.out_proj.bias"]


def own_of(state: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}


def reference_video(method: VitaCLIP, visual: dict[str, np.ndarray], clip: np.ndarray) -> np.ndarray:
    """v of one clip [T, 3, S, S]: every token of every frame goes through every step of every layer."""
    state = {name: tensor.numpy() for name, tensor in method.state_dict().items()}
    frames, many = len(clip), len(state["global_prompts"][0])
    sequences = []
    for i, picture in enumerate(clip):
        scaled = [(picture[colour] / 255 - MEAN[colour]) / STD[colour] for colour in range(3)]
        tokens = [visual["class_embedding"]]
        for row in (0, 8):
            for column in (0, 8):
                patch = np.stack([colour[row : row + 8, column : column + 8] for colour in scaled])
                tokens.append(np.array([(kernel * patch).sum() for kernel in visual["conv1.weight"]]))
        tokens = [x + p + state["time"][i] for x, p in zip(tokens, visual["positional_embedding"], strict=True)]
        sequences.append([norm(x, visual, "ln_pre") for x in tokens])
    for layer in range(3):
        block = own_of(visual, f"transformer.resblocks.{layer}.")
        summary = own_of(state, f"summaries.{layer}.")
        weight, bias = state[f"cls_proj.{layer}.weight"], state[f"cls_proj.{layer}.bias"]
        c = [weight @ tokens[0] + bias for tokens in sequences]
        normed = [norm(x, summary, "norm") for x in c]
        s = [x + attention(y, normed, summary, "attention") for x, y in zip(c, normed, strict=True)]
        local = [state["local_prompts"][layer][i] + c[i] for i in range(frames)]
        for i in range(frames):
            tokens = sequences[i]
            tokens = [tokens[0], *local, *state["global_prompts"][layer], *tokens[1:], s[i]]
            normed = [norm(x, block, "ln_1") for x in tokens]
            tokens = [x + attention(y, normed, block, "attn") for x, y in zip(tokens, normed, strict=True)]
            tokens = [tokens[0], *tokens[1 + frames : -1]]
            moved = []
            for x in tokens:
                hidden = block["mlp.c_fc.weight"] @ norm(x, block, "ln_2") + block["mlp.c_fc.bias"]
                hidden = hidden / (1 + np.exp(-1.702 * hidden))
                moved.append(x + block["mlp.c_proj.weight"] @ hidden + block["mlp.c_proj.bias"])
            sequences[i] = [moved[0], *moved[1 + many :]]
    return sum(norm(tokens[0], visual, "ln_post") @ visual["proj"] for tokens in sequences) / frames


def reference_text(method: VitaCLIP, tower: SmallTextTower, name: str) -> np.ndarray:
    table, context = tower.table.numpy(), method.context.detach().numpy()
    letters = [table[2 + ord(letter) % 90] for letter in f"{name}."]
    sequence = [table[1], *context, *letters, table[99]]
    total = sum((place + 1) * vector for place, vector in enumerate(sequence))
    return np.tanh(total / 20) @ tower.matrix.numpy()


def unit(x: np.ndarray) -> np.ndarray:
    return x / math.sqrt(sum(float(value) ** 2 for value in x))


def reference_logits(method: VitaCLIP, base: Backbone, pixels: Tensor, names: list[str]) -> np.ndarray:
    visual = {name: tensor.numpy() for name, tensor in base.visual_tower._visual.state_dict().items()}
    scale = math.exp(method.logit_scale.item())
    texts = [reference_text(method, base.text_tower, name) for name in names]
    videos = [reference_video(method, visual, clip.numpy().astype(np.float64)) for clip in pixels]
    return np.array([[scale * (unit(v) @ unit(e)) for e in texts] for v in videos])


def float64(method: VitaCLIP) -> VitaCLIP:
    """The same method in float64, with biases that are not zero."""
    method = method.double()
    with torch.no_grad():
        for summary in method.summaries:
            for tensor in (summary.attention.in_proj_bias, summary.attention.out_proj.bias, summary.norm.bias):
                tensor.normal_(std=0.1)
    return method


@pytest.mark.parametrize(
    ("config", "every"),
    [({}, 1), ({"frames": 2}, 2), ({"global_prompts": 1, "context": 1, "train_cls_proj": True}, 1), ({"frames": 1}, 4)],
)
def test_logits_equal_the_equations(double: None, config: dict[str, Any], every: int) -> None:
    base = backbone(torch.float64)
    method = float64(make(base=base, **config))
    batch, text = world()
    with torch.no_grad():
        logits = method(batch, text)
    expected = reference_logits(method, base, batch.pixels[:, ::every], NAMES)
    np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_step_0_in_single_precision_is_what_the_equations_say() -> None:
    base, (batch, text) = backbone(), world()
    method = make(base=base)
    with torch.no_grad():
        logits = method(batch, text)
    assert logits.dtype == torch.float32
    np.testing.assert_allclose(logits.numpy(), reference_logits(method, base, batch.pixels, NAMES), atol=2e-3)


def test_gradients_are_those_of_finite_differences(double: None) -> None:
    method = float64(make(base=backbone(torch.float64), train_cls_proj=True))
    batch, text = world(clips=1)
    target = torch.tensor([1])
    F.cross_entropy(method(batch, text), target).backward()
    rng = np.random.default_rng(0)
    for name, tensor in trained_tensors(method).items():
        if ".0." in name or ".2." in name:
            continue  # Of three layers the middle one, which is under and above another.
        place = tuple(int(rng.integers(size)) for size in tensor.shape)
        found, losses = tensor.grad[place].item(), []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                tensor[place] += step
                losses.append(F.cross_entropy(method(batch, text), target).item())
        with torch.no_grad():
            tensor[place] += 1e-5
        assert found == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-4, abs=1e-7), name


def test_every_trained_tensor_takes_a_gradient_and_no_frozen_one_does() -> None:
    base = backbone()
    method, (batch, text) = make(base=base), world()
    F.cross_entropy(method(batch, text), torch.tensor([0, 2])).backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in trained_tensors(method).values())
    assert all(tensor.grad is None for tensor in method.cls_proj.parameters())
    assert all(tensor.grad is None for tensor in base.visual_tower._visual.parameters())


@pytest.mark.parametrize(
    ("frames", "train_cls_proj", "parameters"),
    [(16, False, 28_604_417), (8, False, 28_524_545), (16, True, 35_691_521), (8, True, 35_611_649)],
)
def test_a_vit_b_16_has_as_many_trained_parameters_as_published(
    frames: int, train_cls_proj: bool, parameters: int
) -> None:
    with torch.device("meta"):
        visual = VisionTransformer(224, 16, 768, 12, 12, 4.0, output_dim=512)
        towers = SmallTextTower(width=512), VisualTower(visual, MEAN, STD)
        config = VitaCLIPConfig(frames=frames, train_cls_proj=train_cls_proj)
        method = VitaCLIP(config, Backbone(512, 512, 100.0, *towers))
    assert sum(tensor.numel() for tensor in trained_tensors(method).values()) == parameters


def test_the_initial_weights_are_drawn_as_the_repository_draws_them() -> None:
    method = make(base=backbone(width=96, layers=2), global_prompts=40)
    bound = math.sqrt(6 / (3 * 8 * 8 + 96))
    for prompts in (method.global_prompts, method.local_prompts):
        assert 0.9 * bound < prompts.abs().max() <= bound
    assert method.time.std().item() == pytest.approx(0.02, rel=0.2)
    assert method.logit_scale.item() == pytest.approx(math.log(50))
    summary = method.summaries[0].attention
    xavier = math.sqrt(6 / (96 + 96))
    for weight in (*summary.in_proj_weight.chunk(3), summary.out_proj.weight):
        assert 0.95 * xavier < weight.abs().max() <= xavier
    assert not summary.in_proj_bias.any()
    assert not summary.out_proj.bias.any()


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    first, again, other = (make(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["cls_proj.0.weight"], other["cls_proj.0.weight"])


def test_the_towers_are_not_among_its_tensors() -> None:
    assert {name.split(".")[0] for name in make().state_dict()} == {
        *("time", "global_prompts", "local_prompts", "summaries", "cls_proj", "context", "logit_scale")
    }


@pytest.mark.parametrize("at_once", [1, 10_000_000], ids=["layer by layer", "clip by clip"])
def test_computing_activations_again_changes_no_logit_and_no_gradient(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    batch, text = world(clips=3)
    found = []
    for mode in ("off", "on"):
        if mode == "on":
            monkeypatch.setattr(vita_clip, "_AT_ONCE", at_once)
        method = make(checkpointing=mode)
        logits = method(batch, text)
        F.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
        found.append((logits.detach(), {name: t.grad for name, t in trained_tensors(method).items()}))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_few_clips_are_kept_and_many_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    true = vita_clip._checkpointed
    monkeypatch.setattr(vita_clip, "_checkpointed", lambda *args: calls.append(args[1].shape) or true(*args))
    batch, text = world(clips=3)
    method = make()
    method(batch, text)
    assert calls == []
    a_clip = 4 * 16 * 3 * 4 * 5 * 24
    monkeypatch.setattr(vita_clip, "_AT_ONCE", 2 * a_clip)
    method(batch, text)
    assert [shape[0] for shape in calls] == [2, 1]
    calls.clear()
    with torch.no_grad():
        method(batch, text)
    assert calls == []


def test_no_more_is_kept_for_the_way_back_than_reckoned() -> None:
    base = backbone(image_size=128, patch_size=16, width=48, layers=4)
    method, kept = make(base=base, frames=16, segments=16, global_prompts=8, checkpointing="off"), {}
    own = {tensor.untyped_storage().data_ptr() for tensor in method.parameters()}
    own |= {tensor.untyped_storage().data_ptr() for tensor in base.visual_tower._visual.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    pixels = torch.zeros(1, 16, 3, 128, 128, dtype=torch.uint8)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        video = method.video(pixels)
    reckoned = 4 * vita_clip._FLOATS_PER_TOKEN * 16 * 65 * 48 * 4
    assert video.requires_grad
    assert 0.6 * reckoned < sum(kept.values()) <= reckoned


def test_a_clip_does_not_see_the_others_of_its_batch() -> None:
    batch, text = world(clips=3)
    method = make().eval()
    with torch.no_grad():
        together = method(batch, text)
        alone = method(ClipBatch(pixels=batch.pixels[1:2]), text)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-3)


def test_the_order_of_the_frames_matters() -> None:
    batch, text = world()
    method = make().eval()
    with torch.no_grad():
        method.time.normal_()
        turned = method(ClipBatch(pixels=batch.pixels.flip(1)), text)
        assert (turned - method(batch, text)).abs().max() > 1e-2


def test_a_learned_context_meets_the_classes_of_another_dataset() -> None:
    batch, _ = world()
    method = make().eval()
    other = TextBank(torch.zeros(2, 10), 50.0, ["pan", "stir"], ["pan", "stir"])
    with torch.no_grad():
        logits = method(batch, other)
        torch.testing.assert_close(logits[:, 1], method(batch, TextBank(torch.zeros(3, 10), 50.0, NAMES, NAMES))[:, 2])


def test_the_projection_that_is_drawn_and_not_trained_stands_in_the_weights_file(tmp_path: Any) -> None:
    file, (batch, text) = tmp_path / "weights.safetensors", world()
    first = make(seed=0).eval()
    write_weights(file, saved_tensors(first), {"method": "vita-clip"})
    other = make(seed=1).eval()
    load_weights(other, file)
    with torch.no_grad():
        assert torch.equal(first(batch, text), other(batch, text))
    assert not make(train_cls_proj=True).random_buffers()


def test_weights_of_other_frames_are_refused(tmp_path: Any) -> None:
    file = tmp_path / "weights.safetensors"
    write_weights(file, saved_tensors(make()), {"method": "vita-clip"})
    with pytest.raises(InputError, match=r"local_prompts has shape \[3, 4, 24\] there and \[3, 2, 24\]"):
        load_weights(make(frames=2), file)


def test_a_batch_without_pictures_is_refused() -> None:
    _, text = world()
    with pytest.raises(InputError, match=r"vectors alone do not do.*xmic decode"):
        make()(ClipBatch(frames=torch.zeros(1, 4, 10)), text)


def test_pictures_of_another_number_or_size_are_refused() -> None:
    batch, text = world(frames=2)
    with pytest.raises(InputError, match=r"\[2, 3, 16, 16\] a clip, expected \[4, 3, 16, 16\]"):
        make()(batch, text)


def test_a_backbone_without_towers_is_refused() -> None:
    with pytest.raises(InputError, match="text tower, but was given none"):
        make(base=Backbone(10, 10, 50.0))
    with pytest.raises(InputError, match="image tower, but was given none"):
        make(base=Backbone(10, 10, 50.0, SmallTextTower()))


@pytest.mark.parametrize("name", ["segments", "frames", "global_prompts", "context"])
def test_less_than_one_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}=0: expected 1 or more"):
        VitaCLIPConfig(**{name: 0})


def test_frames_that_do_not_fit_the_segments_are_refused() -> None:
    with pytest.raises(UsageError, match="frames=16, but clips have 8 segments.*a divisor of 8"):
        VitaCLIPConfig(segments=8)


def test_presets_are_the_repositorys_and_the_papers() -> None:
    official = resolve_config(VitaCLIP).recipe
    assert (official.lr, official.weight_decay, official.schedule, official.batch) == (4e-4, 0.05, "cosine", 256)
    assert (official.betas, official.warmup_epochs, official.epochs) == ((0.9, 0.999), 0, 15)
    assert resolve_config(VitaCLIP, "xmic-code") == resolve_config(VitaCLIP)
    paper = resolve_config(VitaCLIP, "paper").recipe
    assert (paper.lr, paper.schedule, paper.epochs) == (1e-6, "constant", 15)


def test_every_setting_has_a_help_text() -> None:
    assert all(setting.metadata["help"] for setting in fields(VitaCLIPConfig))
