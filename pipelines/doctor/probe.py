"""Import and examine one dependency, or run one trial, as a process.

``doctor`` starts this file in a process of its own. So a dependency that crashes or hangs ends only this process. Only
the standard library is imported here at module level. The network is never used.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DECODERS: dict[str, tuple[str, ...]] = {
    "h264": ("h264", "libopenh264"),
    "hevc": ("hevc",),
    "vp9": ("vp9", "libvpx-vp9"),
    # FFmpeg's own "av1" decodes only on a graphics card, so its presence alone is not enough.
    "av1": ("libdav1d", "libaom-av1"),
    "mpeg4": ("mpeg4",),
    "gif": ("gif",),
    "mjpeg": ("mjpeg",),
}
"""Format → FFmpeg decoders that read it; one of them is enough."""


def torch_details() -> dict[str, Any]:
    """Return the CPU capability and CUDA devices that PyTorch finds."""
    import torch

    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            devices.append({"index": index, "name": card.name, "memory_bytes": card.total_memory})
    return {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "built_for_cuda": torch.version.cuda,
        "cuda": devices,
        "cuda_bf16": bool(devices) and torch.cuda.is_bf16_supported(),
    }


def av_details() -> dict[str, Any]:
    """Return the FFmpeg libraries and decoders that PyAV contains."""
    import av

    def decodes(name: str) -> bool:
        try:
            return bool(av.codec.Codec(name, "r").is_decoder)
        except ValueError:  # UnknownCodecError is one
            return False

    return {
        "ffmpeg": av.ffmpeg_version_info,
        "libraries": {name: ".".join(map(str, parts)) for name, parts in sorted(av.library_versions.items())},
        "decoders": {form: next((name for name in names if decodes(name)), None) for form, names in DECODERS.items()},
    }


def open_clip_details() -> dict[str, Any]:
    """List the open_clip tags whose weights are in the local caches.

    These are the caches where ``embed`` looks for them.
    """
    import open_clip
    from huggingface_hub import try_to_load_from_cache
    from open_clip.pretrained import get_pretrained_cfg

    def cached(tag: dict[str, Any]) -> Path | None:
        repository, _, name = tag.get("hf_hub", "").rpartition("/")
        if repository:
            names = (name,) if name else ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
            hits = (try_to_load_from_cache(repository, name) for name in names)
            return next((Path(hit) for hit in hits if isinstance(hit, str)), None)
        file = Path("~/.cache/clip").expanduser() / Path(tag.get("url", "")).name
        return file if file.is_file() else None

    found = ((model, tag, cached(get_pretrained_cfg(model, tag))) for model, tag in open_clip.list_pretrained())
    return {"usable": [_usable(f"open_clip:{model}/{tag}", file) for model, tag, file in found if file]}


def timm_details() -> dict[str, Any]:
    """List the timm models with weights in the Hugging Face cache.

    It is the local cache where ``embed`` looks for them.
    """
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    cache = Path(constants.HF_HUB_CACHE)
    there = {folder.name for folder in cache.glob("models--*")} if cache.is_dir() else set()
    found = []
    for name in timm.list_pretrained() if there else []:
        config = timm.get_pretrained_cfg(name)
        repository = config.hf_hub_id if config else None
        if repository and f"models--{repository.replace('/', '--')}" in there:
            file = try_to_load_from_cache(repository, "model.safetensors")
            if isinstance(file, str):
                found.append(_usable(f"timm:{name}", Path(file)))
    return {"usable": found}


def ultralytics_details() -> dict[str, Any]:
    """List the local YOLO weights that detect a hand class.

    They are in Ultralytics' weights folder or in the current folder.
    """
    from ultralytics.utils import SETTINGS

    from data_manifests.errors import InputError
    from pipelines.hands.yolo_checkpoint import read_checkpoint

    found = []
    folders = dict.fromkeys(folder.resolve() for folder in (Path(SETTINGS["weights_dir"]), Path()))
    for file in (file for folder in folders for file in sorted(folder.glob("*.pt"))):
        try:
            names = read_checkpoint(file).names
        except InputError:
            continue
        if any(name.lower() == "hand" for name in names):
            found.append(_usable(f"yolo --weights {file}", file))
    return {"usable": found}


def _usable(spec: str, file: Path) -> dict[str, Any]:
    return {"spec": spec, "file": str(file), "bytes": file.stat().st_size}


DETAILS: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": torch_details,
    "av": av_details,
    "open_clip": open_clip_details,
    "timm": timm_details,
    "ultralytics": ultralytics_details,
}
"""Import name → function that returns details of the module."""


def probe(module: str) -> Iterator[dict[str, Any]]:
    """Import a module and examine it.

    Yields:
        The result so far, after each step, so that a later crash loses no earlier result.
    """
    known: dict[str, Any] = {"imports": False, "error": None, "details": None, "details_error": None}
    try:
        importlib.import_module(module)
    except BaseException as error:  # SystemExit in an import must be reported like any other error
        yield {**known, "error": _said(error)}
        return
    known["imports"] = True
    yield known
    if module in DETAILS:
        try:
            known["details"] = DETAILS[module]()
        except BaseException as error:
            known["details_error"] = _said(error)
        yield known


def attempt(name: str) -> Iterator[dict[str, Any]]:
    """Run one trial of :data:`pipelines.doctor.trials.TRIALS`.

    Yields:
        Whether the trial works, and the error with its place.
    """
    try:
        from pipelines.doctor.trials import run_trial

        run_trial(name)
    except BaseException as error:
        yield {"works": False, "error": f"{_said(error)}{_place(error)}"}
        return
    yield {"works": True, "error": None}


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(error: BaseException) -> str:
    """Return the last line of xmic's code in the traceback: an error of a missing argument does not name its caller."""
    ours = str(Path(__file__).resolve().parents[1])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(ours)]
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).relative_to(Path(ours).parent)}, line {frames[-1].lineno})"


def _take_ours(source: Path) -> None:
    """Import xmic's packages from the folder of this file.

    ``sys.path`` is not changed: on it, the folder could shadow modules of others, and other packages of the same names
    could shadow xmic's.
    """
    for name in ("data_manifests", "pipelines"):
        file = source / name / "__init__.py"
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(file.parent)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{file}: cannot be imported")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def main(what: str, name: str, out: str, root: str) -> None:
    """Write each result of a probe or trial to a file.

    Args:
        what: 'probe' (:func:`probe` of a module) or 'trial' (:func:`attempt`).
        name: name of the module or the trial.
        out: the file, as JSON; a later result replaces an earlier one.
        root: the folder that this package lies in.
    """
    # Garbage collection takes a third of the time of large imports.
    gc.disable()
    _take_ours(Path(root))
    for known in probe(name) if what == "probe" else attempt(name):
        temporary = Path(f"{out}.tmp")
        temporary.write_text(json.dumps(known), encoding="utf-8")
        temporary.replace(out)
    # The exit handlers of libraries are not needed and take time.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
