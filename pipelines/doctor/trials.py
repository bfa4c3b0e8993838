"""Try the functions that xmic needs of its dependencies, for ``doctor``.

``doctor`` runs each trial in a process of its own. A library may import well and still lack an argument that xmic
passes, an encoder, or a working GPU driver. Every trial runs the code that the stages use. Only the standard library is
imported here at module level.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

_FRAMES, _RATE = 10, 10
_SIDE = 64


def _try_video(folder: Path) -> None:
    import av
    import numpy as np
    import pyarrow as pa

    from pipelines.decode.encode_jpeg import from_jpeg
    from pipelines.decode.plan import FramePlan
    from pipelines.decode.task import VideoTask
    from pipelines.decode.worker import decode_video
    from pipelines.engine.clips import Clip

    video = folder / "clip.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=_RATE)
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(_FRAMES):
            picture = np.full((_SIDE, _SIDE, 3), _grey(number), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    clip = Clip("clip", 0.0, _FRAMES / _RATE)
    plan = FramePlan(segments=_FRAMES, candidates=1, short_side=0)
    task = VideoTask("clip", str(video), "video", 0.0, None, None, [clip], plan, output=str(folder / "out"))
    failures = decode_video(task, lambda: None)["failures"]
    if failures:
        raise RuntimeError(f"{len(failures)} of {_FRAMES} frames are not decoded: {failures[0]['error']}")
    with pa.OSFile(f"{task.output}.frames.arrow", "rb") as source, pa.ipc.open_stream(source) as stored:
        pictures = [from_jpeg(row["jpeg"]) for row in stored.read_all().to_pylist()]
    found = [round(float(picture.mean())) for picture in pictures]
    wanted = [_grey(number) for number in range(_FRAMES)]
    if len(found) != _FRAMES or any(abs(a - b) > 5 for a, b in zip(found, wanted, strict=True)):
        raise RuntimeError(f"frames of grey {wanted} are decoded as {found}")


def _grey(number: int) -> int:
    return 20 + 20 * number


def _try_encoder(folder: Path) -> None:
    import numpy as np

    from pipelines.embed.encoders import load_encoder
    from pipelines.embed.encoders.spec import POCKET
    from pipelines.engine.machine import Machine

    device = Machine().resolve_device()
    encoder = load_encoder(POCKET, precision="fp32", batch_size=1, device=device, offline=True)
    vectors = encoder.embed([encoder.preprocess(np.full((_SIDE, _SIDE, 3), 128, np.uint8))])
    if vectors.shape != (1, encoder.dim) or not np.isfinite(vectors).all():
        raise RuntimeError(f"its vector has shape {vectors.shape} or is not finite; expected (1, {encoder.dim})")


def _try_hands(folder: Path) -> None:
    import numpy as np

    from pipelines.engine.machine import Machine
    from pipelines.hands.detector import load_detector

    device = Machine().resolve_device()
    detector = load_detector("yolo", device=device, batch_size=1, offline=True)
    # A box with a coordinate that is not finite is refused when it is made.
    found = detector.detect([np.full((_SIDE, _SIDE, 3), 128, np.uint8)])
    if len(found) != 1:
        raise RuntimeError(f"answers for {len(found)} pictures; expected 1")


def _try_shard(folder: Path) -> None:
    import pyarrow as pa

    from pipelines.engine.shard_writer import ShardWriter
    from pipelines.engine.shards import Layout, read_footer, read_rows, rows_digest

    schema = pa.schema([("number", pa.int64()), ("text", pa.string()), ("vector", pa.list_(pa.float32(), 4))])
    rows = [{"number": number, "text": f"row {number}", "vector": [float(number)] * 4} for number in range(100)]
    path = folder / "part-doctor.parquet"
    with ShardWriter(
        path,
        Layout(schema, row_group=64),
        {},
        stage="doctor",
        version=1,
        params={},
        inputs={},
        attempted=len(rows),
        provenance={},
        environment={},
    ) as shard:
        shard.write(rows)
    if read_rows(path).to_pylist() != rows or read_footer(path).digest != rows_digest(path):
        raise RuntimeError("the rows that are read are not those that were written")


TRIALS: dict[str, Callable[[Path], None]] = {
    "video": _try_video,
    "encoder": _try_encoder,
    "hands": _try_hands,
    "shard": _try_shard,
}
"""Name → function that runs the trial in an empty folder, and raises an exception where it fails."""


def run_trial(name: str) -> None:
    """Run a trial in a temporary folder.

    Raises:
        Exception: the trial fails.
    """
    with tempfile.TemporaryDirectory(prefix="xmic-trial-") as folder:
        TRIALS[name](Path(folder))
