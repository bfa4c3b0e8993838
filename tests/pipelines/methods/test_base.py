from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from data_manifests.errors import InputError, UsageError
from pipelines.methods import METHODS, load_method
from pipelines.methods.backbone import Backbone
from pipelines.methods.base import NEEDS, ClipBatch, Method, TextBank, build_method, resolve_config, stream_of
from pipelines.methods.recipe import Recipe
from pipelines.methods.xmic import XMIC
from pipelines.methods.zero_shot import ZeroShot, ZeroShotConfig


@dataclass(frozen=True)
class NoisyConfig:
    width: int = field(default=3, metadata={"help": "columns"})
    title: str = field(default="a", metadata={"help": "text"})


class Noisy(Method):
    name = "noisy"
    needs = frozenset({"frame_vectors"})
    config = NoisyConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {"official": {"width": 5, "epochs": 2}}

    def __init__(self, config: NoisyConfig, backbone: Backbone) -> None:
        super().__init__(config, backbone)
        self.weight = nn.Parameter(torch.randn(config.width, backbone.dim))


def test_methods_are_found_by_name() -> None:
    assert (load_method("zero-shot"), load_method("xmic")) == (ZeroShot, XMIC)
    assert all(load_method(name).name == name for name in METHODS)


def test_a_class_of_ones_own_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_adapters.py").write_text(
        "from pipelines.methods.zero_shot import ZeroShot\n"
        "class Mine(ZeroShot):\n    name = 'mine'\nclass Other: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert load_method("my_adapters:Mine").name == "mine"
    with pytest.raises(UsageError, match=r"my_adapters has no class Mien\. Did you mean 'Mine'\?"):
        load_method("my_adapters:Mien")
    with pytest.raises(UsageError, match="my_adapters:Other: it is not a subclass of pipelines.methods.base.Method"):
        load_method("my_adapters:Other")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("xmick", r"no method 'xmick'\. Did you mean 'xmic'\? Known: .*\. Your own is named as package"),
        ("quark", r"no method 'quark'\. Known: a5, .*xmic, zero-shot\."),
        ("no.such:Class", r"the module no\.such cannot be imported .*Install it, or add its folder to PYTHONPATH"),
        ("json:Nothing", "the module json has no class Nothing"),
        (":Class", "no method ':Class'"),
        ("module:", "no method 'module:'"),
    ],
)
def test_unknown_methods_are_refused(spec: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        load_method(spec)


def test_listing_the_methods_loads_no_torch() -> None:
    code = "import sys, pipelines.methods; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_explains_itself_and_has_a_name_of_its_own(name: str) -> None:
    method = load_method(name)
    fields = method.config.__dataclass_fields__
    assert all(one.metadata["help"] for one in fields.values())
    assert not set(fields) & set(Recipe.__dataclass_fields__)
    assert method.needs <= NEEDS


@pytest.mark.parametrize("name", METHODS)
def test_every_preset_resolves_and_survives_a_round_trip(name: str) -> None:
    method = load_method(name)
    assert set(method.presets) - {"recommended"} == {"official", "xmic-code", "paper"}
    for preset in method.presets:
        settings = resolve_config(method, preset)
        again = resolve_config(method, preset, {**asdict(settings.config), **asdict(settings.recipe)})
        assert again == settings


def test_a_preset_changes_settings_and_recipe_and_an_override_wins() -> None:
    settings = resolve_config(Noisy, "official", {"width": "7"})
    assert settings.config == NoisyConfig(width=7)
    assert settings.recipe == Recipe(epochs=2)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("segments", "8", 8),
        ("scale", "1", 1.0),
        ("scale", " 0.5 ", 0.5),
        ("n1", "false", False),
        ("n2", "True", True),
        ("streams", "hand", "hand"),
        ("betas", "0.9,0.999", (0.9, 0.999)),
        ("betas", [0, 0.5], (0.0, 0.5)),
        ("lr", "1e-4", 1e-4),
        ("bottleneck", 8, 8.0),
    ],
)
def test_values_take_the_type_of_their_setting(key: str, text: Any, value: Any) -> None:
    settings = resolve_config(XMIC, "official", {key: text})
    found = {**asdict(settings.config), **asdict(settings.recipe)}[key]
    assert found == value
    assert type(found) is type(value)


def test_texts_are_taken_as_they_are() -> None:
    assert resolve_config(Noisy, "official", {"title": " b "}).config.title == " b "


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"segments": "8.5"}, "--set segments=8.5: expected a whole number"),
        ({"segments": True}, "--set segments=True: expected a whole number"),
        ({"scale": "two"}, "--set scale=two: expected a number"),
        ({"scale": "nan"}, "--set scale=nan: expected a number"),
        ({"n1": "1"}, "--set n1=1: expected true or false"),
        ({"streams": "hands"}, "--set streams=hands: expected one of full, hand, both"),
        ({"betas": "0.9"}, "--set betas=0.9: expected 2 values with commas between"),
        ({"betas": "0.9,x"}, "--set betas=x: expected a number"),
        ({"lr": "-1"}, "lr=-1.0: expected 0 or more"),
        ({"segmets": "8"}, "--set segmets: xmic has no such setting; the nearest is segments. Settings are segments,"),
        ({"learning_rat": "8"}, r"--set learning_rat: xmic has no such setting; the nearest is lr\."),
        (
            {"learning_rate": "8"},
            r"--set learning_rate: xmic has no such setting; here it is lr: --set lr=8\. Settings",
        ),
        (
            {"batch-size": "8"},
            r"--set batch-size: xmic has no such setting; here it is batch: --set batch=8\. Settings",
        ),
        ({"qqqq": "8"}, r"--set qqqq: xmic has no such setting\. Settings are"),
    ],
)
def test_values_that_do_not_fit_are_refused(overrides: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        resolve_config(XMIC, "official", overrides)


def test_a_text_setting_takes_only_texts() -> None:
    with pytest.raises(UsageError, match="--set title=3: expected a text"):
        resolve_config(Noisy, "official", {"title": 3})


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(UsageError, match="--preset offical: xmic has the presets official, xmic-code, paper"):
        resolve_config(XMIC, "offical")


def test_the_seed_alone_decides_the_initial_weights_and_torchs_generator_is_left_alone() -> None:
    def weight(seed: int) -> torch.Tensor:
        method = build_method(Noisy, NoisyConfig(), Backbone(4, 4, 1.0), seed=seed)
        return method.get_parameter("weight").detach()

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = weight(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(weight(3), first)
    assert not torch.equal(weight(4), first)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_logit_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match=r"noisy: logit scale (0|-1|nan|inf), expected a positive number"):
        build_method(Noisy, NoisyConfig(), Backbone(4, 4, scale), seed=0)


def test_batches_and_texts_move_as_a_whole() -> None:
    batch = ClipBatch(frames=torch.zeros(1, 2, 3)).to(torch.device("meta"))
    assert batch.frames is not None
    assert (batch.frames.device.type, batch.hand, batch.full) == ("meta", None, None)
    text = TextBank(torch.zeros(2, 3), 100.0, ["a", "b"], ["an a", "a b"]).to(torch.device("meta"))
    assert (text.vectors.device.type, text.logit_scale) == ("meta", 100.0)
    assert (text.names, text.texts) == (["a", "b"], ["an a", "a b"])


def test_a_training_step_is_the_forward_of_all_classes_unless_a_method_says_otherwise() -> None:
    method = ZeroShot(ZeroShotConfig(), Backbone(3, 3, 1.0))
    batch, text = ClipBatch(frames=torch.randn(2, 4, 3)), TextBank(torch.randn(5, 3), 1.0, list("abcde"))
    assert torch.equal(method.training_logits(batch, text, torch.tensor([1, 4])), method(batch, text))


def test_a_missing_stream_is_refused() -> None:
    with pytest.raises(InputError, match="noisy needs the hand vectors of each clip, but the batch has none. Embed"):
        stream_of("noisy", ClipBatch(frames=torch.zeros(1, 1, 1)), "hand")


def test_a_method_needs_what_its_class_says_unless_it_says_otherwise() -> None:
    assert Noisy.needed_by(NoisyConfig()) == Noisy.needs
    assert (
        build_method(Noisy, NoisyConfig(), Backbone(2, 2, 1.0), seed=0).statistics(
            ClipBatch(), TextBank(torch.zeros(1, 2), 1.0, ["a"])
        )
        == {}
    )
