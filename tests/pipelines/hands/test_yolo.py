from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_manifests.errors import InputError, UsageError
from pipelines.engine.batches import BatchTooLarge, begun_by, in_begun_batches
from pipelines.hands.detector import Box, describe_detector, load_detector, precision_of
from pipelines.hands.yolo import YoloDetector
from pipelines.hands.yolo_checkpoint import read_checkpoint
from pipelines.hands.yolo_input import DeviceInput
from pipelines.hands.yolo_network import build_network, import_ultralytics
from tests.pipelines.engine.late_lanes import LateLanes
from tests.pipelines.one_thread import threads

SIZE = 160


@pytest.fixture(scope="module", autouse=True)
def two_threads() -> Iterator[None]:
    with threads(2):
        yield


def calibrate(network: Any) -> None:
    """Let the batch norms see noise once: untrained activations fade, and all scores would be equal."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.rand(4, 3, SIZE, SIZE))
    for norm in norms:
        norm.momentum = 0.03


def make_network(config: str, names: list[str], spread: bool = True) -> Any:
    """A network with random weights whose scores, where asked for, spread over (0, 1)."""
    tasks = import_ultralytics("ultralytics.nn.tasks")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = tasks.DetectionModel(config, nc=len(names), verbose=False)
        if spread:
            calibrate(network)
        head = network.model[-1]
        towers = [head.cv3, *([head.one2one_cv3] if hasattr(head, "one2one_cv3") else [])]
        for layer in [tower[-1] for part in towers for tower in part]:
            layer.weight.data.mul_(4)
            layer.bias.data.fill_(-3)
    network.names = dict(enumerate(names))
    network.args = {"imgsz": SIZE, "task": "detect"}
    return network


def save(network: Any, path: Path, **extra: Any) -> Path:
    """Save as Ultralytics' trainer does: the running average in half precision under 'ema'."""
    content = {"epoch": 1, "model": None, "ema": deepcopy(network).half(), "date": "2024-01-01", "version": "8.4"}
    torch.save({**content, **extra}, path)
    return path


@pytest.fixture(scope="session")
def network() -> Any:
    return make_network("yolo11n.yaml", ["hand"])


@pytest.fixture(scope="session")
def weights(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(network, tmp_path_factory.mktemp("yolo") / "hands.pt")


@pytest.fixture(scope="session")
def two_headed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(make_network("yolo26n.yaml", ["hand"]), tmp_path_factory.mktemp("yolo26") / "hands.pt")


def frames(*sizes: tuple[int, int]) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for width, height in sizes]


class FindsTheBright(torch.nn.Module):
    """Answers each picture with one box around its bright pixels, of class 0."""

    stride = torch.tensor([8, 16, 32])

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        self.shapes.append(tuple(pixels.shape))
        answer = torch.zeros(len(pixels), 5, 1)
        for slot, picture in zip(answer, pixels, strict=True):
            rows, columns = torch.nonzero(picture[0] > 0.8, as_tuple=True)
            if len(rows):
                x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
                slot[:, 0] = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, 0.75])
        return (answer,)


class Says(torch.nn.Module):
    """Answers every picture with the same rows of (x, y, w, h, score of each class)."""

    stride = torch.tensor([8, 16, 32])

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.answer = torch.tensor(rows).T

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.answer.expand(len(pixels), *self.answer.shape),)


def detector_that(says: torch.nn.Module, weights: Path, **options: Any) -> YoloDetector:
    detector = YoloDetector(weights, image_size=SIZE, batch_size=4, **options)
    detector.__dict__["_network"] = says
    return detector


def corners(box: Box) -> tuple[float, float, float, float]:
    return box.x0, box.y0, box.x1, box.y1


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (200, 200), (64, 48), (333, 71)])
def test_a_box_comes_back_where_it_is_in_portrait_and_landscape(size: tuple[int, int], weights: Path) -> None:
    width, height = size
    wanted = (0.25, 0.5, 0.75, 0.875)
    frame = np.zeros((height, width, 3), np.uint8)
    frame[round(height * 0.5) : round(height * 0.875), round(width * 0.25) : round(width * 0.75)] = 255
    [[box]] = detector_that(FindsTheBright(), weights).detect([frame])
    pixel = max(width, height) / SIZE
    tolerance = np.array([1 / width, 1 / height, 1 / width, 1 / height]) * (1 + pixel)
    assert (np.abs(np.array(corners(box)) - wanted) <= tolerance).all()
    assert box.score == 0.75


def test_the_network_sees_batches_of_one_size_and_no_more_bars_than_the_stride_needs(weights: Path) -> None:
    bright = FindsTheBright()
    detector = detector_that(bright, weights)
    for count, passes in ((1, 1), (4, 1), (5, 2)):
        bright.shapes.clear()
        assert len(detector.detect(frames(*[(320, 180)] * count))) == count
        assert bright.shapes == [(4, 3, 96, SIZE)] * passes
    assert detector.detect([]) == []


def test_frames_of_several_shapes_are_seen_shape_by_shape_and_answered_in_their_order(weights: Path) -> None:
    bright = FindsTheBright()
    wide, tall = np.zeros((180, 320, 3), np.uint8), np.zeros((320, 180, 3), np.uint8)
    wide[:90], tall[:, :90] = 255, 255
    found = detector_that(bright, weights).detect([wide, tall, wide, tall, wide])
    assert bright.shapes == [(4, 3, 96, SIZE), (4, 3, SIZE, 96)]
    assert [box.y1 < 0.6 for [box] in found] == [True, False, True, False, True]


def test_a_coarser_network_gets_sides_of_its_own_stride(weights: Path) -> None:
    bright = FindsTheBright()
    bright.stride = torch.tensor([8, 16, 32, 64])
    detector_that(bright, weights).detect(frames((320, 180)))
    assert bright.shapes == [(4, 3, 128, 192)]


def test_scores_from_0_01_are_kept_and_boxes_ordered_by_score_then_place(weights: Path) -> None:
    rows = [[120, 20, 10, 10, 0.5], [20, 20, 10, 10, 0.5], [60, 60, 10, 10, 0.0101], [90, 90, 10, 10, 0.0099]]
    [boxes] = detector_that(Says([*rows, [40, 120, 10, 10, 0.9]]), weights).detect(frames((SIZE, SIZE)))
    assert [round(box.score, 4) for box in boxes] == [0.9, 0.5, 0.5, 0.0101]
    assert boxes[1].x0 < boxes[2].x0


def test_overlapping_boxes_are_suppressed_above_the_iou_only(weights: Path) -> None:
    rows = [[80, 80, 40, 40, 0.6], [82, 80, 40, 40, 0.9], [90, 80, 40, 40, 0.8]]  # IoU 0.90 and 0.67 with the best
    [boxes] = detector_that(Says(rows), weights, iou=0.7).detect(frames((SIZE, SIZE)))
    assert [round(box.score, 1) for box in boxes] == [0.9, 0.8]
    [boxes] = detector_that(Says(rows), weights, iou=0.5).detect(frames((SIZE, SIZE)))
    assert [round(box.score, 1) for box in boxes] == [0.9]


def test_boxes_are_clipped_to_the_frame_and_dropped_when_all_outside(weights: Path) -> None:
    rows = [[0, 48, 40, 40, 0.9], [80, 3, 20, 8, 0.8]]  # the second lies in the bar of 8 pixels above the frame
    [boxes] = detector_that(Says(rows), weights).detect(frames((320, 160)))
    assert [corners(box) for box in boxes] == [(0.0, 0.25, 0.125, 0.75)]


def test_at_most_300_boxes_a_frame(weights: Path) -> None:
    grid = [[4 * x + 2, 4 * y + 2, 3.0, 3.0, 0.1 + (40 * y + x) / 2000] for y in range(40) for x in range(10)]
    [boxes] = detector_that(Says(grid), weights).detect(frames((SIZE, SIZE)))
    assert len(boxes) == 300
    assert boxes[-1].score > 0.1 + 300 / 2000


def test_only_boxes_whose_best_class_is_a_hand_are_kept_with_their_side(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = save(
        make_network("yolo11n.yaml", ["cup", "hand_left", "Right Hand"], spread=False),
        tmp_path_factory.mktemp("sides") / "w.pt",
    )
    rows = [[20, 20, 9, 9, 0.1, 0.7, 0.2], [60, 20, 9, 9, 0.1, 0.2, 0.6], [90, 20, 9, 9, 0.8, 0.7, 0.6]]
    detector = detector_that(Says(rows), path)
    [boxes] = detector.detect(frames((SIZE, SIZE)))
    assert [(round(box.score, 1), box.side) for box in boxes] == [(0.7, "left"), (0.6, "right")]
    assert detector.provenance["classes"] == {"hand_left": "left", "Right Hand": "right"}
    assert YoloDetector(path, hand_class="CUP").provenance["classes"] == {"cup": None}
    assert YoloDetector(path, hand_class=1).provenance["classes"] == {"hand_left": "left"}
    with pytest.raises(InputError, match=r"has no class 'mug'. Its classes are: 0 cup, 1 hand_left, 2 Right Hand\."):
        YoloDetector(path, hand_class="mug")
    for several in ("cup, 1", ("cup", 1), ["cup", "hand_left,cup"]):
        assert YoloDetector(path, hand_class=several).provenance["classes"] == {"cup": None, "hand_left": "left"}


def test_one_hand_that_is_taken_for_a_left_and_a_right_one_is_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save(
        make_network("yolo11n.yaml", ["left hand", "right hand", "cup"], spread=False),
        tmp_path_factory.mktemp("pair") / "w.pt",
    )
    rows = [[60, 60, 40, 40, 0.6, 0.1, 0], [66, 60, 40, 40, 0.1, 0.8, 0], [100, 60, 40, 40, 0.7, 0.1, 0]]  # IoU 0.74
    [boxes] = detector_that(Says(rows), path).detect(frames((SIZE, SIZE)))
    assert [(round(box.score, 1), box.side) for box in boxes] == [(0.8, "right"), (0.7, "left")]
    assert len(detector_that(Says(rows), path, iou=0.8).detect(frames((SIZE, SIZE)))[0]) == 3


def test_classes_named_otherwise_are_listed(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save(
        make_network("yolo11n.yaml", ["handle", "cup"], spread=False), tmp_path_factory.mktemp("names") / "w.pt"
    )
    with pytest.raises(
        InputError,
        match=r"none of its classes is named hand: 0 handle, 1 cup. Say which are hands .* --hand-class NAME$",
    ):
        YoloDetector(path)


def matched(ours: list[Box], theirs: np.ndarray, width: int, height: int) -> float:
    """Share of their boxes (x0, y0, x1, y1 in pixels, score) that are ours to 0.5 pixel and 0.002 of score."""
    mine = np.array([[*corners(box), box.score] for box in ours]) * [width, height, width, height, 1]
    near = np.abs(mine[None] - theirs[:, None]) <= [0.5, 0.5, 0.5, 0.5, 0.002]
    return float(near.all(axis=2).any(axis=1).mean())


@pytest.mark.parametrize("end_to_end", [False, True])
@pytest.mark.parametrize("size", [(320, 180), (150, 240)])
def test_detections_are_those_of_ultralytics_own_predictor(
    size: tuple[int, int], end_to_end: bool, weights: Path, two_headed: Path, tmp_path: Path
) -> None:
    path = two_headed if end_to_end else weights
    [frame] = frames(size)
    [ours] = YoloDetector(path, image_size=SIZE, iou=0.7, batch_size=2, end_to_end=end_to_end).detect([frame])
    options: dict[str, Any] = {"nms": False} if end_to_end else {}
    [result] = import_ultralytics("ultralytics").YOLO(path, task="detect").predict(
        frame[:, :, ::-1], imgsz=SIZE, rect=True, conf=0.01, iou=0.7, max_det=300, device="cpu", verbose=False,
        save=False, project=str(tmp_path), **options
    )  # fmt: skip
    theirs = torch.cat([result.boxes.xyxy, result.boxes.conf[:, None]], dim=1).numpy()
    theirs = theirs[((theirs[:, 2:4] - theirs[:, :2]) > 0).all(axis=1)]
    assert len(theirs) > 20
    assert abs(len(ours) - len(theirs)) <= 0.02 * len(theirs)
    assert matched(ours, theirs, *size) >= 0.98


def test_a_two_headed_network_answers_with_its_usual_head_unless_told(two_headed: Path, weights: Path) -> None:
    usual = YoloDetector(two_headed, image_size=SIZE)
    assert (usual.provenance["head"], usual.provenance["nms_iou"]) == ("one-to-many", 0.5)
    ended = YoloDetector(two_headed, image_size=SIZE, end_to_end=True)
    assert (ended.provenance["head"], ended.provenance["nms_iou"]) == ("end-to-end", None)
    [frame] = frames((200, 160))
    assert usual.detect([frame]) != ended.detect([frame])
    with pytest.raises(InputError, match="has no end-to-end head; only YOLOv10 and YOLO26 have"):
        YoloDetector(weights, image_size=SIZE, end_to_end=True).detect([frame])


def test_boxes_of_a_frame_do_not_depend_on_the_frames_beside_it(weights: Path) -> None:
    detector = YoloDetector(weights, image_size=SIZE, batch_size=4)
    three = frames((320, 180), (150, 240), (90, 90))
    together = detector.detect(three)
    assert len(together[0]) > 20
    assert [detector.detect([frame])[0] for frame in three] == together


def test_boxes_are_the_same_where_frames_are_drawn_on_the_device_and_batches_begun_ahead(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = frames(*[(320, 180), (150, 240)] * 3)
    expected = YoloDetector(weights, image_size=SIZE, batch_size=2).detect(images)
    assert min(map(len, expected)) > 20
    monkeypatch.setattr("pipelines.hands.yolo.lanes_of", lambda device: LateLanes())
    monkeypatch.setattr(
        "pipelines.hands.yolo.input_of", lambda device, lanes, batch_size, dtype: DeviceInput(lanes, batch_size)
    )
    late = YoloDetector(weights, image_size=SIZE, batch_size=2)
    assert late.detect(images) == expected
    rows = in_begun_batches(enumerate(images), 2, *begun_by(late, "detect"))
    assert [boxes for _, boxes in rows] == expected


def test_a_batch_of_frames_that_does_not_fit_says_which_does(weights: Path) -> None:
    class Full(Says):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(BatchTooLarge, match=r"4 frames a forward pass do not fit .* of cpu.*--batch-size 2;"):
        detector_that(Full([[1, 1, 1, 1, 1]]), weights).detect(frames((320, 180)))


def test_the_rebuilt_network_is_the_saved_one_bit_for_bit(network: Any, weights: Path) -> None:
    original = deepcopy(network).half().float().eval().fuse(verbose=False)
    rebuilt = build_network(weights, read_checkpoint(weights), end_to_end=False)
    pixels = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(original(pixels)[0], rebuilt(pixels)[0])


def test_identity_is_known_without_the_network_and_changes_with_what_changes_boxes(weights: Path) -> None:
    identity = describe_detector("yolo", weights=weights, image_size=SIZE)
    detector = load_detector("yolo", weights=weights, image_size=SIZE)
    assert (identity.slug, identity.provenance) == (detector.slug, detector.provenance)
    assert "_network" not in detector.__dict__
    sha256 = identity.provenance["weights_sha256"]
    assert identity.slug == f"yolo-hands-160-{sha256[:8]}"
    assert identity.environment == {"batch_shape": [64, 3, 160, 160], "device": "cpu"}
    assert identity.provenance["min_score"] == 0.01
    assert str(weights.parent) not in str(identity.provenance)
    others = [describe_detector("yolo", weights=weights, **o).provenance for o in ({}, {"image_size": 160, "iou": 0.7})]
    assert len({str(p) for p in [identity.provenance, *others]}) == 3


def test_half_the_bits_are_said_in_the_identity_and_give_nearly_the_same_boxes(weights: Path) -> None:
    exact, reduced = (
        YoloDetector(weights, image_size=SIZE, iou=0.7, batch_size=2, precision=p) for p in ("fp32", "bf16")
    )
    sha256 = exact.provenance["weights_sha256"]
    assert (precision_of(exact.slug), precision_of(reduced.slug)) == ("fp32", "bf16")
    assert reduced.slug == f"yolo-hands-160-bf16-{sha256[:8]}"
    assert reduced.provenance == {**exact.provenance, "precision": "bf16"}
    [frame] = frames((320, 180))
    [one], [other] = exact.detect([frame]), reduced.detect([frame])
    assert one != other
    near = [min(np.abs(np.array(corners(box)) - corners(there)).max() for there in other) for box in one[:20]]
    assert np.median(near) * SIZE < 0.2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"precision": "fp16"}, "--precision fp16: only on CUDA"),
        ({"image_size": 100}, "image size is 100; it must be a multiple of 32"),
        ({"iou": 0.0}, "iou is 0.0; it must lie in"),
        ({"batch_size": 0}, "batch size is 0; it must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], text: str, weights: Path) -> None:
    with pytest.raises(UsageError, match=text):
        YoloDetector(weights, **options)


def test_detection_is_silent_and_leaves_home_and_environment_alone(weights: Path, tmp_path: Path) -> None:
    code = (
        # xmic itself says how threads wait when it is first imported.
        "import os, sys, pipelines, numpy as np, torch; torch.set_num_threads(1); before = dict(os.environ)\n"
        "from pipelines.hands.yolo import YoloDetector\n"
        "before.update({k: v for k, v in os.environ.items() if 'cv2' in v})\n"
        "YoloDetector(sys.argv[1], image_size=64, batch_size=1).detect([np.zeros((9, 9, 3), np.uint8)])\n"
        "after = {k: v for k, v in os.environ.items() if not k.startswith('TORCHINDUCTOR')}\n"  # torch's own
        "assert after == before, set(after) ^ set(before)\n"
        "assert 'ultralytics.engine' not in sys.modules\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code, str(weights)], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
    assert (tmp_path / "cache" / "xmic" / "ultralytics").is_dir()
