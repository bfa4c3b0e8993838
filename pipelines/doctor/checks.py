"""Check the dependencies, devices, caches and workspace for ``doctor``.

The checks work even where a dependency is broken. Only the standard library is imported here. Every dependency is
imported in a process of its own (:mod:`pipelines.doctor.probe`). The functions that xmic needs of them are tried in
other processes (:mod:`pipelines.doctor.trials`). So a dependency that raises, crashes or hangs is one line of the
result.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0
"""Seconds after which an import or a trial counts as hanging.

A cold import from a network disk can take half of it.
"""
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Dependency:
    """A required distribution: its name on PyPI and its import name."""

    distribution: str
    module: str


# The slow ones first: with few cores, the last one to start decides how long all of them take.
DEPENDENCIES = (
    Dependency("open_clip_torch", "open_clip"),
    Dependency("timm", "timm"),
    Dependency("torchvision", "torchvision"),
    Dependency("ultralytics", "ultralytics"),
    Dependency("torch", "torch"),
    Dependency("opencv-python", "cv2"),
    Dependency("pyarrow", "pyarrow"),
    Dependency("numpy", "numpy"),
    Dependency("av", "av"),
    Dependency("safetensors", "safetensors"),
    Dependency("huggingface_hub", "huggingface_hub"),
    Dependency("pydantic", "pydantic"),
    Dependency("jinja2", "jinja2"),
    Dependency("typer", "typer"),
    Dependency("rich", "rich"),
)


@dataclass(frozen=True)
class Trial:
    """A trial of a function that xmic needs of its dependencies.

    Attributes:
        name: its name in :data:`pipelines.doctor.trials.TRIALS`.
        what: description of the trial, in words.
        modules: import names, as in :data:`DEPENDENCIES`, of the dependencies it needs.
    """

    name: str
    what: str
    modules: tuple[str, ...]


TRIALS = (
    Trial(
        "encoder",
        "a picture through the encoder that comes with xmic",
        ("torch", "torchvision", "open_clip", "timm", "safetensors"),
    ),
    Trial(
        "hands",
        "a picture through the hand model that comes with xmic",
        ("torch", "torchvision", "ultralytics", "cv2", "safetensors"),
    ),
    Trial("video", "a clip written, opened and decoded", ("av", "cv2", "numpy", "pyarrow")),
    Trial("shard", "a Parquet shard written and read back", ("pyarrow",)),
)


def examine(
    workspace: Path,
    dependencies: Sequence[Dependency] = DEPENDENCIES,
    trials: Sequence[Trial] = TRIALS,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, Any]:
    """Collect the output of ``xmic doctor`` as plain values.

    Args:
        workspace: the workspace folder; it need not exist.
        dependencies: the distributions to import.
        trials: the trials to run after the imports. A trial that needs a module that does not import is not run, and
            counts as not working.
        timeout_s: limit in seconds for each trial, and for each import with the questions to the module.

    Returns:
        'ok' (every dependency imports, every trial works, and the file system keeps what xmic needs), 'xmic', 'python',
        'platform', 'dependencies', 'trials', 'devices', 'ffmpeg', 'caches', 'disk', 'file_system', 'workspace',
        'offline'. A part whose check failed is an object with 'error'.
    """
    from pipelines.doctor.file_system import examine_file_system
    from pipelines.engine.machine import usable_cores

    with (
        tempfile.TemporaryDirectory(prefix="xmic-doctor-") as folder,
        ThreadPoolExecutor(max(2, usable_cores())) as pool,
    ):
        modules = [item.module for item in dependencies]
        found = pool.map(lambda module: _probe(module, Path(folder), timeout_s), modules)
        probes = dict(zip(modules, found, strict=True))
        tried = list(pool.map(lambda trial: _tried(trial, probes, Path(folder), timeout_s), trials))
    settings, problem = _settings(workspace)
    packages = [_package(item, probes[item.module]) for item in dependencies]
    file_system = _isolated(lambda: examine_file_system(workspace, timeout_s))
    broken = [item for item in file_system.get("promises", ()) if item["needed"] and item["holds"] is False]
    return {
        "ok": all(package["imports"] for package in packages) and all(trial["works"] for trial in tried) and not broken,
        "xmic": _version("xmic"),
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": platform.platform(),
        "dependencies": packages,
        "trials": tried,
        "devices": _isolated(lambda: _devices(probes.get("torch", {}), settings.get("precision", {}))),
        "ffmpeg": _details(probes, "av"),
        "caches": _isolated(_caches),
        "disk": _isolated(lambda: _disk(workspace)),
        "file_system": file_system,
        "workspace": _isolated(lambda: _workspace(workspace, settings, problem)),
        "offline": _offline(probes),
    }


def _isolated(check: Callable[[], Any]) -> Any:
    try:
        return check()
    except Exception as error:  # whatever is wrong with this machine, the other checks go on
        return {"error": f"{type(error).__name__}: {error}"}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except Exception:  # not installed, or its metadata is damaged
        return None


def _probe(module: str, folder: Path, timeout_s: float) -> dict[str, Any]:
    known, problem = _asked("probe", module, folder, timeout_s)
    result = {"imports": False, "error": None, "details": None, "details_error": None, **known}
    if problem:
        result["details_error" if result["imports"] else "error"] = problem
    return result


def _tried(trial: Trial, probes: Mapping[str, Mapping[str, Any]], folder: Path, timeout_s: float) -> dict[str, Any]:
    result = {"name": trial.name, "what": trial.what, "works": False, "problem": None, "advice": None}
    broken = [module for module in trial.modules if module in probes and not probes[module]["imports"]]
    if broken:
        return {**result, "problem": f"not tried, because {' and '.join(broken)} cannot be imported (see above)"}
    known, problem = _asked("trial", trial.name, folder, timeout_s)
    problem = problem or known["error"]
    if problem:
        return {**result, "problem": problem, "advice": _advice_for(trial)}
    return {**result, "works": True}


def _advice_for(trial: Trial) -> str:
    rests = [item for item in DEPENDENCIES if item.module in trial.modules]
    versions = (f"{item.distribution} {_version(item.distribution) or '(no version)'}" for item in rests)
    asked = " ".join(_quoted(_requirement(item.distribution)) for item in rests)
    return (
        f"it rests on {', '.join(versions)}; what xmic asks for: {_pip()} install {asked}. If those are the versions, "
        "report it with the output of: xmic doctor --json"
    )


def _asked(what: str, name: str, folder: Path, timeout_s: float) -> tuple[dict[str, Any], str | None]:
    """Run :mod:`pipelines.doctor.probe` in a process of its own.

    Returns:
        The last answer that the process wrote, and, where the process ended badly, how it ended.
    """
    out, said = folder / f"{what}-{name}.json", folder / f"{what}-{name}.txt"
    command = [sys.executable, "-P", "-X", "faulthandler", str(_PACKAGE / "doctor" / "probe.py")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "true"}
    with said.open("wb") as log:
        process = subprocess.Popen(
            [*command, what, name, str(out), str(_PACKAGE.parent)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environment,
        )
        try:
            code = process.wait(timeout_s)
            problem = None if code == 0 else _how_it_ended(code, said)
        except subprocess.TimeoutExpired:
            problem = f"did not finish in {timeout_s:g} s"
        finally:
            process.kill()
            process.wait()
    if not out.is_file():
        return {}, problem or "ended without an answer"
    return json.loads(out.read_text(encoding="utf-8")), problem


def _how_it_ended(code: int, said: Path) -> str:
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    where = next((line.strip() for line in lines if line.startswith("  File ")), "")
    if code < 0:
        text = f"crashed with {signal.Signals(-code).name}"
    else:
        text = f"ended with exit code {code}"
        where = where or (lines[-1].strip() if lines else "")
    return f"{text} ({where})" if where else text


def _package(item: Dependency, probe: Mapping[str, Any]) -> dict[str, Any]:
    installed, required = _version(item.distribution), _requirement(item.distribution)
    problem, advice = probe["error"], None
    if installed is None and not probe["imports"]:
        problem, advice = "not installed", f"{_pip()} install {_quoted(required)}"
    elif not probe["imports"]:
        advice = f"{_pip()} install --force-reinstall {_quoted(required)}"
    elif installed and not _fits(installed, required):
        problem, advice = f"outside {required}", f"{_pip()} install --upgrade {_quoted(required)}"
    return {
        "name": item.distribution,
        "module": item.module,
        "installed": installed,
        "required": required,
        "imports": probe["imports"],
        "problem": problem or probe["details_error"],
        "advice": advice,
    }


def _pip() -> str:
    return f"{sys.executable} -m pip"


def _quoted(requirement: str) -> str:
    return f"'{requirement}'"


def _requirement(distribution: str) -> str:
    """Return the requirement in xmic's metadata, such as 'torch>=2.6'; the bare name where xmic is not installed."""
    try:
        stated = importlib.metadata.requires("xmic") or []
    except Exception:
        stated = []
    names = {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0].lower().replace("_", "-"): text for text in stated}
    return names.get(distribution.lower().replace("_", "-"), distribution).partition(";")[0].strip()


def _fits(installed: str, required: str) -> bool:
    least, untried = re.search(r">=\s*([0-9.]+)", required), re.search(r"<\s*([0-9.]+)", required)
    numbers = _numbers(installed)
    return (least is None or numbers >= _numbers(least[1])) and (untried is None or numbers < _numbers(untried[1]))


def _numbers(version: str) -> list[int]:
    leading = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return [int(part) for part in leading[0].split(".")] if leading else []


def _details(probes: Mapping[str, Mapping[str, Any]], module: str) -> dict[str, Any]:
    probe = probes.get(module, {})
    details: dict[str, Any] | None = probe.get("details")
    return details or {"error": f"{module} cannot be asked: {probe.get('error') or probe.get('details_error')}"}


def _devices(torch: Mapping[str, Any], precision: Mapping[str, str]) -> dict[str, Any]:
    from pipelines.engine.machine import usable_cores

    details = torch.get("details")
    found: dict[str, Any] = {"cpu_cores": usable_cores(), **_memory()}
    if details is None:
        return {**found, "error": f"PyTorch cannot be asked: {torch.get('error') or torch.get('details_error')}"}
    from pipelines.engine.precision import resolve_precision

    device = "cuda" if details["cuda"] else "cpu"
    stored = precision.get(device)
    return {
        **found,
        **details,
        "cpu_bf16": resolve_precision("auto", "cpu") == "bf16",
        "auto_device": device,
        "auto_precision": stored or resolve_precision("auto", device),
        "precision_from": "workspace" if stored else "hardware",
    }


def _memory() -> dict[str, int | None]:
    """Return the memory, the available memory and a container's limit, in bytes; None where unknown."""
    found: dict[str, int | None] = {"memory_bytes": None, "memory_available_bytes": None, "memory_limit_bytes": None}
    table = Path("/proc/meminfo")
    if table.is_file():
        values = dict(line.split(":", 1) for line in table.read_text().splitlines() if ":" in line)
        found["memory_bytes"] = int(values["MemTotal"].split()[0]) * 1024
        found["memory_available_bytes"] = int(values["MemAvailable"].split()[0]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and limit.read_text().strip().isdigit():
        found["memory_limit_bytes"] = int(limit.read_text())
    return found


def _caches() -> list[dict[str, Any]]:
    home = Path.home()
    xdg = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    hugging_face = Path(os.environ.get("HF_HOME") or xdg / "huggingface")
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or hugging_face / "hub"
    torch_hub = Path(os.environ.get("TORCH_HOME") or xdg / "torch") / "hub"
    return [
        {"what": "user cache (XDG)", "path": str(xdg), "exists": xdg.is_dir(), "weights_bytes": None},
        # A repository's files lie once in blobs/, and its snapshots are links to them.
        _cache("Hugging Face hub", Path(hub), "models--*/blobs/*"),
        _cache("torch hub", torch_hub, "checkpoints/*"),
        _cache("open_clip", home / ".cache" / "clip", "*"),
    ]


def _cache(what: str, path: Path, pattern: str) -> dict[str, Any]:
    files = [file for file in path.glob(pattern) if file.is_file() and not file.is_symlink()]
    size = sum(file.stat().st_size for file in files)
    return {"what": what, "path": str(path), "exists": path.is_dir(), "weights_bytes": size}


def _disk(workspace: Path) -> dict[str, Any]:
    there = workspace.absolute()
    while not there.exists():
        there = there.parent
    usage = shutil.disk_usage(there)
    return {
        "path": str(there),
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "writable": os.access(there, os.W_OK),
    }


def _settings(workspace: Path) -> tuple[dict[str, Any], str | None]:
    """Read ``workspace.toml``, or return its error. pipelines.engine.workspace is not used, since it needs pyarrow."""
    file = workspace / "workspace.toml"
    if not file.is_file():
        return {}, None
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), None
    except (ValueError, RecursionError, OSError) as error:
        return {}, f"{file}: cannot be read ({error})"


def _workspace(workspace: Path, settings: Mapping[str, Any], problem: str | None) -> dict[str, Any]:
    datasets: dict[str, list[str]] = {}
    for clips in sorted(workspace.glob("manifests/*/*/clips.parquet")):
        datasets.setdefault(clips.parent.parent.name, []).append(clips.parent.name)
    roots = {root for entry in settings.get("datasets", {}).values() for root in entry.get("roots", [])}
    found: dict[str, Any] = {
        "path": str(workspace),
        "exists": workspace.is_dir(),
        "datasets": datasets,
        "missing_roots": sorted(root for root in roots if "://" not in root and not Path(root).is_dir()),
    }
    return {**found, "error": problem} if problem else found


# Not imported from the modules that read these files: doctor imports no module that may be broken.
_PACKAGED = {
    "encoder": _PACKAGE / "embed" / "model" / "pocket.safetensors",
    "detector": _PACKAGE / "hands" / "model" / "hands.safetensors",
}


def _offline(probes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    def usable(*modules: str) -> tuple[list[dict[str, Any]], list[str]]:
        parts = [_details(probes, module) for module in modules]
        return [item for part in parts for item in part.get("usable", [])], [p["error"] for p in parts if "error" in p]

    encoders, encoder_errors = usable("open_clip", "timm")
    detectors, detector_errors = usable("ultralytics")
    return {
        "encoders": encoders,
        "detectors": detectors,
        "packaged": {what: file.stat().st_size for what, file in _PACKAGED.items() if file.is_file()},
        "errors": encoder_errors + detector_errors,
        "fetch_encoder": "xmic embed --encoder open_clip:ViT-B-16/openai",
        "fetch_detector": "xmic detect-hands --weights FILE.pt",
    }
