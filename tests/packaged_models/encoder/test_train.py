from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from data_manifests.errors import InputError
from packaged_models.encoder import drawings as drawings_module
from packaged_models.encoder import train as train_module
from packaged_models.encoder.batches import Batches, Lesson
from packaged_models.encoder.drawings import Drawings
from packaged_models.encoder.network import Tokens, make_network, text_vectors
from packaged_models.encoder.train import Training, contrastive_loss, learning_rate, train_encoder
from pipelines.embed.encoders import load_encoder
from pipelines.engine.progress import Silent

TINY = Training(steps=4, batch=6, warmup=1, instances=1, scenes=18, lessons=(Lesson(0.5), Lesson(1.0, actions=0.5)))


class _Stop(Silent):
    """Ends a training after some steps, as a killed job does."""

    def __init__(self, after: int) -> None:
        self._left, self._training = after, False

    def start(self, what: str, total: int, unit: str = "", done: int = 0) -> None:
        self._training = what == "train"

    def advance(self, steps: int = 1) -> None:
        if self._training and steps == 1:
            self._left -= 1
            if not self._left:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings for every training of this file: 18 scenes a file here, one of each verb."""
    folder = tmp_path_factory.mktemp("encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawings_module, "SCENES_A_FILE", 18)
        made = Drawings(folder, TINY.instances, TINY.scenes, TINY.seed)
        made.draw_things(2, Silent())
        (folder / "actions-0").mkdir()
        drawings_module._draw_actions(0, 0, folder / "actions-0" / "0000.npz")
    return folder


@pytest.fixture(autouse=True)
def _few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawings_module, "SCENES_A_FILE", 18)
    monkeypatch.setattr(train_module, "_CHECKPOINT_STEPS", 1)


def _linked(work: Path, folder: Path) -> Path:
    folder.mkdir()
    for part in work.iterdir():
        if part.is_dir():
            (folder / part.name).symlink_to(part)
    return folder


def test_a_training_that_was_stopped_ends_with_the_very_same_weights(work: Path, tmp_path: Path) -> None:
    whole = train_encoder(_linked(work, tmp_path / "a"), TINY, tmp_path / "one", 1, Silent())
    with pytest.raises(KeyboardInterrupt):
        train_encoder(_linked(work, tmp_path / "b"), TINY, tmp_path / "two", 1, _Stop(3))
    assert not (tmp_path / "two").exists()
    again = train_encoder(tmp_path / "b", TINY, tmp_path / "two", 1, Silent())
    assert again["sha256"] == whole["sha256"]
    assert whole["pictures"] == 24
    assert math.isfinite(whole["loss"])


def test_the_weights_load_as_any_encoder_does(work: Path, tmp_path: Path) -> None:
    train_encoder(_linked(work, tmp_path / "a"), replace(TINY, steps=2), tmp_path / "out", 1, Silent())
    spec = f"open_clip:{tmp_path / 'out' / 'pocket.json'}={tmp_path / 'out' / 'pocket.safetensors'}"
    encoder = load_encoder(spec, precision="fp32", batch_size=2, device="cpu", offline=True)
    assert encoder.encode_texts(["cup", "carrot"]).shape == (2, 256)
    assert encoder.logit_scale > 1


def test_a_checkpoint_of_another_training_is_refused(work: Path, tmp_path: Path) -> None:
    folder = _linked(work, tmp_path / "a")
    train_encoder(folder, replace(TINY, steps=2), tmp_path / "out", 1, Silent())
    with pytest.raises(InputError, match=r"state\.pt: of another training"):
        train_encoder(folder, replace(TINY, steps=2, lr=1.0), tmp_path / "out", 1, Silent())


def test_the_log_says_the_loss_of_each_checkpoint(work: Path, tmp_path: Path) -> None:
    folder = _linked(work, tmp_path / "a")
    made = train_encoder(folder, TINY, tmp_path / "out", 1, Silent())
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["loss"] == made["loss"]


def test_the_loss_is_clips_where_captions_differ_and_shares_them_where_they_agree() -> None:
    torch.manual_seed(0)
    network, tokens = make_network(0.0).eval(), Tokens()
    pictures = torch.randn(3, 3, 128, 128)
    captions = ["a cup", "a lemon", "an egg"]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        images = network.encode_image(pictures).float()
    with torch.no_grad():
        texts = text_vectors(network, tokens.of(captions))
        logits = network.logit_scale.exp() * normalize(images, dim=-1) @ normalize(texts, dim=-1).T
        own = -(logits.log_softmax(1).diag().mean() + logits.log_softmax(0).diag().mean()) / 2
        assert contrastive_loss(network, pictures, captions, tokens).item() == pytest.approx(own.item(), abs=1e-4)
        same = contrastive_loss(network, pictures, ["a cup"] * 3, tokens).item()
    assert same == pytest.approx(math.log(3) / 2, abs=0.05)


def test_the_learning_rate_rises_and_falls() -> None:
    training = Training(steps=100, warmup=10)
    rates = [learning_rate(training, step) for step in range(100)]
    assert rates[0] == pytest.approx(training.lr / 10)
    assert max(rates) == rates[9] == rates[10] == training.lr
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < training.lr / 500


def test_batches_are_functions_of_seed_and_step(work: Path) -> None:
    drawings = Drawings(work, 1, 18, 0)
    one, other = (Batches(drawings, 0, 4, 9, Lesson(1.0, actions=0.5)) for _ in range(2))
    pictures, captions = one[5]
    again, told = other[5]
    assert pictures.shape == (4, 3, 128, 128)
    assert torch.equal(pictures, again)
    assert captions == told
    assert not torch.equal(pictures, one[6][0])
