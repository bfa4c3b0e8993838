from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data_manifests.errors import InputError, UsageError
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import ClipBatch, TextBank, build_method, resolve_config
from pipelines.methods.blocks import attention_stack
from pipelines.methods.xmic import XMIC, XMICConfig
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig
from tests.pipelines.methods.reference import reference_vector, single, state_of, world
from tests.pipelines.methods.slow import unit

SMALL: dict[str, Any] = {"segments": 3, "heads": 2, "bottleneck": 2.0, "head_ratio": 2}


def make(dim: int = 6, dim_v2: int = 8, seed: int = 0, scale: float = 100.0, **config: Any) -> XMIC:
    chosen = XMICConfig(**{**SMALL, **config})
    method = build_method(XMIC, chosen, Backbone(dim, dim_v2, scale), seed=seed)
    assert isinstance(method, XMIC)
    return method


def direct_logits(method: XMIC, batch: ClipBatch, text: TextBank, vector: Tensor) -> Tensor:
    """The classifier as the equations have it, with all adapted text vectors [B, C, D]."""
    config = method._config
    assert batch.frames is not None
    a, e = vector, text.vectors.to(vector.dtype)
    a = F.normalize(a, dim=-1) if config.n2 else a
    e = F.normalize(e, dim=-1) if config.n3 else e
    adapted = F.normalize(e[None] + config.scale * a[:, None], dim=-1)
    frames = F.normalize(batch.frames, dim=-1) if config.frame_pool == "norm_then_norm" else batch.frames
    video = F.normalize(frames.mean(1), dim=-1).to(vector.dtype)
    return method.logit_scale.exp() * torch.einsum("bd,bcd->bc", video, adapted)


def reference_logits(method: XMIC, batch: ClipBatch, text: TextBank) -> np.ndarray:
    config, state = method._config, state_of(method)
    assert batch.frames is not None
    logits = np.empty((len(batch.frames), len(text.vectors)))
    for clip in range(len(batch.frames)):
        a = reference_vector(method, batch, clip)
        a = unit(a) if config.n2 else a
        frames = [frame.numpy() for frame in batch.frames[clip]]
        video = unit(sum(unit(f) if config.frame_pool == "norm_then_norm" else f for f in frames) / len(frames))
        for name, vector in enumerate(text.vectors.numpy()):
            e = unit(vector) if config.n3 else vector
            logits[clip, name] = math.exp(state["logit_scale"]) * (video @ unit(e + config.scale * a))
    return logits


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"streams": "full"},
        {"streams": "hand"},
        {"n1": False},
        {"n2": True},
        {"n3": True},
        {"n2": True, "n3": True},
        {"scale": 0.5, "frame_pool": "norm_then_norm"},
        {"head_relu": False, "spatial_layers": 2, "temporal_layers": 1},
        {"head": "none", "dim_v2": 6},
        {"head": "linear"},
        {"head": "linear", "head_relu": False, "dim_v2": 6},
        {"head": "auto", "head_relu": False, "scale": 1.0},
        {"head": "auto", "dim_v2": 6},
        {"attention": "joint"},
        {"attention": "average"},
        {"attention": "pair-mean", "spatial_layers": 2},
        {"positions": False},
        {"positions": False, "streams": "full", "attention": "pair"},
    ],
)
def test_logits_at_step_0_equal_the_equations(config: dict[str, Any]) -> None:
    dim_v2 = config.get("dim_v2", 8)
    method = make(**config).double().eval()
    batch, text = world(dim_v2=dim_v2)
    with torch.no_grad():
        logits = method(batch, text)
    np.testing.assert_allclose(logits.numpy(), reference_logits(method, batch, text), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("head", "dim_v2", "parameters"),
    [
        ("mlp", 6, 6 * 3 + 3 + 3 * 6 + 6),
        ("linear", 8, 8 * 6 + 6),
        ("auto", 8, 8 * 6 + 6),
        ("auto", 6, 0),
        ("none", 6, 0),
    ],
)
def test_auto_is_no_head_where_the_widths_agree_and_one_linear_map_where_they_differ(
    head: str, dim_v2: int, parameters: int
) -> None:
    method = make(dim_v2=dim_v2, head=head)
    counted = 0 if method.head is None else sum(tensor.numel() for tensor in method.head.parameters())
    assert counted == parameters


def test_the_released_head_starts_from_the_weights_that_a_seed_always_gave() -> None:
    # Torch's generator draws the second layer first: runs of older versions begin so.
    method = make(seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        attention_stack(8, 2, 2.0, 1)
        torch.randn(3, 8)
        attention_stack(8, 2, 2.0, 2)
        last = torch.nn.Linear(4, 6)
        first = torch.nn.Linear(8, 4)
    assert method.head is not None
    assert torch.equal(method.head[0].weight, first.weight)  # type: ignore[arg-type]
    assert torch.equal(method.head[2].weight, last.weight)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    clips=st.integers(1, 5),
    segments=st.integers(1, 6),
    dim=st.integers(2, 40),
    width=st.integers(2, 12),
    classes=st.integers(1, 30),
    n=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    scale=st.floats(0.1, 4),
    seed=st.integers(0, 10_000),
)
def test_the_closed_form_equals_the_direct_form(
    clips: int,
    segments: int,
    dim: int,
    width: int,
    classes: int,
    n: tuple[bool, bool, bool],
    scale: float,
    seed: int,
) -> None:
    # Without the ReLU the X-MIC vector also points away from text vectors, the harder case.
    method = make(dim, 2 * width, seed, segments=segments, n1=n[0], n2=n[1], n3=n[2], scale=scale, head_relu=False)
    batch, text = single(*world(clips, segments, dim, 2 * width, classes, seed))
    with torch.no_grad():
        logits = method(batch, text)
        exact = direct_logits(method, batch, text, method.vector(batch).double())
    torch.testing.assert_close(logits, exact.float(), rtol=0, atol=5e-3)
    assert logits.dtype == torch.float32


def test_a_given_vector_classifies_in_place_of_the_clips_own() -> None:
    method = make().double().eval()
    batch, text = world(clips=3)
    assert batch.frames is not None
    own = method.vector(batch)
    torch.testing.assert_close(method.classify(own, batch.frames, text), method(batch, text))
    other = own.roll(1, 0)
    expected = direct_logits(method, batch, text, other)
    torch.testing.assert_close(method.classify(other, batch.frames, text), expected)


@pytest.mark.parametrize("n", [(True, False, False), (True, True, False), (True, False, True), (False, True, True)])
def test_the_closed_form_has_the_gradients_of_the_direct_form(n: tuple[bool, bool, bool]) -> None:
    labels = torch.tensor([1, 4])
    batch, text = world()
    gradients = []
    for form in ("closed", "direct"):
        method = make(n1=n[0], n2=n[1], n3=n[2]).double()
        if form == "closed":
            logits = method(batch, text)
        else:
            logits = direct_logits(method, batch, text, method.vector(batch))
        F.cross_entropy(logits, labels).backward()
        gradients.append({name: p.grad for name, p in method.named_parameters()})
    assert all(g is not None for g in gradients[0].values())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-7, atol=1e-10)


def test_gradients_are_those_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    method, (batch, text) = make().double(), world()
    vector = method.vector(batch).detach().requires_grad_()

    def logits(a: Tensor) -> Tensor:
        monkeypatch.setattr(method, "vector", lambda _: a)
        result: Tensor = method(batch, text)
        return result

    assert torch.autograd.gradcheck(logits, (vector,))


def test_a_text_vector_the_xmic_vector_cancels_stays_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    method, (batch, text) = make(), single(*world())
    vector = (-text.vectors[:2] / 2).requires_grad_()
    monkeypatch.setattr(method, "vector", lambda _: vector)
    logits = method(batch, text)
    logits.sum().backward()
    assert vector.grad is not None
    assert logits.isfinite().all()
    assert vector.grad.isfinite().all()


def test_logits_and_classifier_stay_float32_under_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    method, (batch, text) = make(), single(*world())
    vector = method.vector(batch).detach()
    monkeypatch.setattr(method, "vector", lambda _: vector)
    with torch.no_grad():
        plain = method(batch, text)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(method(batch, text), plain)
    assert plain.dtype == torch.float32


def test_bfloat16_autocast_runs_the_attention_close_to_float32() -> None:
    method, (batch, text) = make(), single(*world())
    with torch.no_grad():
        plain = method(batch, text)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = method(batch, text)
    assert low.dtype == torch.float32
    assert not torch.equal(low, plain)
    torch.testing.assert_close(low, plain, rtol=0, atol=1.0)


@pytest.mark.parametrize(
    ("dim_v2", "dim", "parameters"),
    [
        (512, 512, 3_594_657),
        (1024, 512, 14_299_457),
        (384, 512, 2_029_497),
        (768, 512, 8_058_225),
        (256, 256, 904_401),
        (768, 768, 8_070_769),
    ],
)
def test_it_has_the_parameters_of_the_official_code(dim_v2: int, dim: int, parameters: int) -> None:
    with torch.device("meta"):
        method = XMIC(XMICConfig(), Backbone(dim, dim_v2, 100.0))
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == parameters


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        ({"positions": False}, 3_594_657 - 16 * 512),
        ({"attention": "joint"}, 3_594_657 - 1_184_384),
        ({"attention": "average"}, 3_594_657 - 1_184_384),
        ({"attention": "pair-mean"}, 3_594_657 - 2_368_768 - 16 * 512),
        ({"train_scale": True}, 3_594_658),
        ({"streams": "full"}, 3_594_657 - 1_184_384),
    ],
)
def test_other_forms_have_what_they_use_and_no_more(config: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        method = XMIC(XMICConfig(**config), Backbone(512, 512, 100.0))
    assert sum(p.numel() for p in method.parameters() if p.requires_grad) == parameters


def test_a_learned_factor_starts_at_the_fixed_one_and_has_a_gradient() -> None:
    batch, text = world()
    fixed, learned = make(scale=1.5).double(), make(scale=1.5, train_scale=True).double()
    torch.testing.assert_close(learned(batch, text), fixed(batch, text))
    F.cross_entropy(learned(batch, text), torch.tensor([0, 1])).backward()
    gradient = learned.get_parameter("scale").grad
    assert gradient is not None
    assert gradient.abs().item() > 0


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again, other = (make(seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["positions"], other["positions"])


def test_temporal_positions_start_small() -> None:
    positions = make(dim_v2=512, segments=16).positions
    assert positions.std().item() == pytest.approx(0.01, rel=0.05)


def test_the_logit_scale_starts_at_the_encoders_and_is_learned_unless_told_otherwise() -> None:
    assert make(scale=14.29).logit_scale.exp().item() == pytest.approx(14.29)
    assert make().logit_scale.requires_grad
    assert not make(train_logit_scale=False).logit_scale.requires_grad


def test_a_zero_initialised_head_starts_as_zero_shot_clip() -> None:
    method, (batch, text) = make(zero_init_head=True, head_relu=False), single(*world())
    zero_shot = ZeroShot(ZeroShotConfig("raw_then_norm"), Backbone(6, 8, 100.0))
    torch.testing.assert_close(method(batch, text).detach(), zero_shot(batch, text), rtol=1e-4, atol=1e-3)


def test_float16_vectors_are_read_as_they_are() -> None:
    method, (batch, text) = make(), single(*world())
    halves = ClipBatch(*(x.half() for x in (batch.frames, batch.hand, batch.full) if x is not None))
    widened = ClipBatch(*(x.float() for x in (halves.frames, halves.hand, halves.full) if x is not None))
    assert torch.equal(method(halves, text), method(widened, text))


@pytest.mark.parametrize(("streams", "unused"), [("full", "hand"), ("hand", "full")])
def test_a_stream_that_is_not_chosen_is_neither_needed_nor_read(streams: str, unused: str) -> None:
    method, (batch, text) = make(streams=streams), single(*world())
    without = ClipBatch(**{name: getattr(batch, name) for name in ("frames", "hand", "full") if name != unused})
    assert torch.equal(method(without, text), method(batch, text))
    assert {"full": "v2_vectors", "hand": "hand_vectors"}[unused] not in XMIC.needed_by(method._config)
    assert method.spatial is None


def test_both_streams_are_needed_by_default() -> None:
    assert XMIC.needed_by(XMICConfig()) == XMIC.needs


def test_statistics_are_the_norms_that_are_summed() -> None:
    method, (batch, text) = make(), single(*world())
    statistics = method.statistics(batch, text)
    vector = 2 * method.vector(batch).detach()
    assert statistics == {
        "logit_scale": pytest.approx(100),
        "text_norm": pytest.approx(text.vectors.norm(dim=1).mean().item()),
        "xmic_norm": pytest.approx(vector.norm(dim=1).mean().item()),
    }
    normalised = make(n2=True, n3=True).statistics(batch, text)
    assert (normalised["text_norm"], normalised["xmic_norm"]) == (pytest.approx(1), pytest.approx(2))


def test_presets_differ_only_as_published() -> None:
    official, code, paper = (resolve_config(XMIC, preset) for preset in ("official", "xmic-code", "paper"))
    assert official == code
    assert official.config == XMICConfig()
    # The paper sums without a factor (Eq. 1), averages normalised frames (Sec. 3.1) and has no head (Eq. 3).
    assert paper.config == XMICConfig(scale=1.0, frame_pool="norm_then_norm", head="auto", head_relu=False)
    assert (paper.recipe.lr, paper.recipe.warmup_epochs, paper.recipe.betas) == (1e-6, 0, (0.9, 0.999))
    assert (official.recipe.lr, official.recipe.warmup_epochs, official.recipe.betas) == (5e-4, 5, (0.9, 0.98))
    recommended = resolve_config(XMIC, "recommended")
    assert (recommended.config, recommended.recipe) == (paper.config, official.recipe)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"segments": 0}, "xmic: segments=0: expected 1 or more"),
        ({"heads": 0}, "xmic: heads=0: expected 1 or more"),
        ({"spatial_layers": 0}, "xmic: spatial_layers=0: expected 1 or more"),
        ({"temporal_layers": 0}, "xmic: temporal_layers=0: expected 1 or more"),
        ({"head_ratio": 0}, "xmic: head_ratio=0: expected 1 or more"),
        ({"bottleneck": 0.0}, r"xmic: bottleneck=0\.0: expected more than 0"),
        (
            {"zero_init_head": True},
            "zero_init_head=true with head=mlp head_relu=true: .* a ReLU passes no gradient at 0. .* head_relu=false",
        ),
        ({"zero_init_head": True, "head": "none"}, "zero_init_head=true with head=none"),
        ({"zero_init_head": True, "head": "auto", "head_relu": False}, "it needs a layer to set to zero"),
        ({"head": "none"}, r"head=none needs D_II = D, but V_II gives 8 and the text has 6\. Set head=linear"),
        (
            {"attention": "joint", "streams": "hand"},
            r"attention=joint joins two streams, but streams=hand has one\. Use --streams both",
        ),
        ({"heads": 3}, r"heads=3 must divide D_II = 8\. Set heads to a divisor"),
        ({"bottleneck": 9.0}, r"bottleneck=9 leaves no hidden unit of D_II = 8"),
        ({"head_ratio": 9}, r"head_ratio=9 leaves no hidden unit of D_II = 8"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make(**config)


@pytest.mark.parametrize("stream", ["frames", "hand", "full"])
def test_a_missing_stream_is_refused(stream: str) -> None:
    batch, text = single(*world())
    without = ClipBatch(**{name: getattr(batch, name) for name in ("frames", "hand", "full") if name != stream})
    with pytest.raises(InputError, match=f"xmic needs the {stream} vectors"):
        make()(without, text)


def test_another_number_of_segments_or_width_is_refused() -> None:
    method = make()
    expected = r"expected \[3, 8\] \(segments, D_II\)\. Use the number of segments and the V_II it was made for"
    with pytest.raises(InputError, match=r"xmic: the hand vectors are \[4, 8\] a clip, " + expected):
        method(*single(*world(segments=4)))
    with pytest.raises(InputError, match=r"the hand vectors are \[3, 10\] a clip, " + expected):
        method(*single(*world(dim_v2=10)))
