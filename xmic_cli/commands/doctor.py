"""``xmic doctor``: check this machine and say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from xmic_cli import console
from xmic_cli.options import Json, WorkspaceOption
from xmic_cli.workspace_folder import workspace_folder

BROKEN = 3


def doctor(context: typer.Context, workspace: WorkspaceOption = None, json: Json = False) -> None:
    """Check dependencies, devices, codecs, caches, disk and workspace.

    It also runs when a dependency is broken. Every dependency is imported. Then a clip is decoded, a picture goes
    through each packaged network, and a shard is written and read. What the workspace's file system promises (renames,
    locks) is tried in a temporary folder. Each of these runs in a process of its own, and nothing is downloaded. Exits
    3 when one of them fails.
    """
    from pipelines.doctor.checks import examine

    # Not options.open_workspace: that reads manifests' schemas and needs pyarrow.
    folder = workspace_folder(context, workspace)
    console.note("importing and trying every dependency in a process of its own; this takes some seconds")
    result = examine(folder)
    console.emit(result, json, list(lines(result)))
    if not result["ok"]:
        raise typer.Exit(BROKEN)


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Write the result as lines for the user."""
    python = result["python"]
    yield f"xmic {result['xmic'] or '(not installed)'}, Python {python['version']} ({python['executable']})"
    yield result["platform"]
    yield from ("", "Dependencies")
    for package in result["dependencies"]:
        yield from _package(package)
    yield from ("", "Trials")
    for trial in result["trials"]:
        yield from _trial(trial)
    for title, part in (
        ("Devices", _devices),
        ("Video (FFmpeg in PyAV)", _ffmpeg),
        ("Caches", _caches),
        ("Disk", _disk),
        ("File system of the workspace", _file_system),
        ("Workspace", _workspace),
        ("Usable without network", _offline),
    ):
        yield from ("", title)
        value = result[_KEYS[title]]
        if isinstance(value, dict) and "error" in value:
            yield f"  !! {value['error']}"
        yield from (f"  {line}" for line in part(value))
    broken = [package["name"] for package in result["dependencies"] if not package["imports"]]
    broken += [f"trial {trial['name']}" for trial in result["trials"] if not trial["works"]]
    promises = result["file_system"].get("promises", ())
    broken += [f"file system ({item['name']})" for item in promises if item["needed"] and item["holds"] is False]
    yield ""
    sound = "All required dependencies import, and all trials work. The file system keeps what xmic needs."
    yield f"{len(broken)} broken: {', '.join(broken)}" if broken else sound


_KEYS = {
    "Devices": "devices",
    "Video (FFmpeg in PyAV)": "ffmpeg",
    "Caches": "caches",
    "Disk": "disk",
    "File system of the workspace": "file_system",
    "Workspace": "workspace",
    "Usable without network": "offline",
}


def _package(package: Mapping[str, Any]) -> Iterator[str]:
    mark = "!!" if not package["imports"] else "? " if package["problem"] else "ok"
    problem = f": {package['problem']}" if package["problem"] else ""
    yield f"  {mark} {package['name']} {package['installed'] or '(version unknown)'}{problem}"
    if package["advice"]:
        yield f"     run: {package['advice']}"


def _trial(trial: Mapping[str, Any]) -> Iterator[str]:
    problem = f": {trial['problem']}" if trial["problem"] else ""
    yield f"  {'ok' if trial['works'] else '!!'} {trial['what']}{problem}"
    if trial["advice"]:
        yield f"     {trial['advice']}"


def _devices(devices: Mapping[str, Any]) -> Iterator[str]:
    if "cpu_cores" not in devices:
        return
    limit = devices["memory_limit_bytes"]
    memory = f"{_size(devices['memory_bytes'])} memory, {_size(devices['memory_available_bytes'])} free"
    yield f"CPU: {devices['cpu_cores']} cores usable, {memory}" + (f", container limit {_size(limit)}" if limit else "")
    if "auto_device" not in devices:
        return
    bf16 = "multiplies bf16 in hardware" if devices["cpu_bf16"] else "no bf16 in hardware"
    yield f"CPU capability: {devices['cpu_capability']}, {bf16}"
    for card in devices["cuda"]:
        bf16 = "bf16" if devices["cuda_bf16"] else "no bf16"
        yield f"CUDA {card['index']}: {card['name']}, {_size(card['memory_bytes'])}, {bf16}"
    if not devices["cuda"]:
        built = devices["built_for_cuda"]
        yield f"CUDA: no device found (PyTorch is built {f'for CUDA {built}' if built else 'without CUDA'})"
    source = "fixed in this workspace" if devices["precision_from"] == "workspace" else "from the hardware"
    yield f"--device auto is {devices['auto_device']}, --precision auto is {devices['auto_precision']} ({source})"


def _ffmpeg(ffmpeg: Mapping[str, Any]) -> Iterator[str]:
    if "decoders" not in ffmpeg:
        return
    yield f"FFmpeg {ffmpeg['ffmpeg']}: {', '.join(f'{name} {v}' for name, v in ffmpeg['libraries'].items())}"
    missing = [form for form, decoder in ffmpeg["decoders"].items() if decoder is None]
    yield f"decoders: {', '.join(form for form in ffmpeg['decoders'] if form not in missing)}"
    if missing:
        yield f"!! no decoder for {', '.join(missing)}; such videos fail in xmic decode. The PyPI build of av has them."


def _caches(caches: Any) -> Iterator[str]:
    for cache in caches if isinstance(caches, list) else []:
        size = "" if cache["weights_bytes"] is None else f", {_size(cache['weights_bytes'])} of weights"
        yield f"{cache['what']}: {cache['path']} ({f'there{size}' if cache['exists'] else 'not there'})"


def _disk(disk: Mapping[str, Any]) -> Iterator[str]:
    if "free_bytes" not in disk:
        return
    yield f"{_size(disk['free_bytes'])} free of {_size(disk['total_bytes'])} at {disk['path']}"
    if not disk["writable"]:
        yield "!! not writable; name another workspace with -w"


def _file_system(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['path']} ({found['kind'] or 'of a kind that the system does not name'}), as this machine sees it"
    for item in found["promises"]:
        mark = "? " if item["holds"] is None else "ok" if item["holds"] else "!!" if item["needed"] else "no"
        yield f"{mark} {item['what']}: {item['found']}"
    if any(item["needed"] and item["holds"] is False for item in found["promises"]):
        yield "!! a workspace here can lose or mix artifacts: name a folder on another disk with -w (docs/storage.md)"


def _workspace(workspace: Mapping[str, Any]) -> Iterator[str]:
    if "path" not in workspace:
        return
    if not workspace["exists"]:
        yield f"{workspace['path']}: not there yet; xmic prepare makes it"
    elif not workspace["datasets"]:
        yield f"{workspace['path']}: no dataset is prepared; run xmic prepare"
    else:
        datasets = (f"{name} ({', '.join(splits)})" for name, splits in workspace["datasets"].items())
        yield f"{workspace['path']}: {', '.join(datasets)}"
    for root in workspace.get("missing_roots", ()):
        yield f"!! video root {root} is not there; mount it, or run xmic prepare with the new place"


_PACKAGED = {
    "encoder": "encoder pocket ({}): comes with xmic, for drawn worlds: xmic embed --encoder pocket",
    "detector": "detector hands ({}): comes with xmic; xmic detect-hands takes it unless --weights names another",
}


def _offline(offline: Mapping[str, Any]) -> Iterator[str]:
    for what, size in offline["packaged"].items():
        yield _PACKAGED[what].format(_size(size))
    for what in ("encoders", "detectors"):
        for item in offline[what]:
            yield f"{what[:-1]} {item['spec']} ({_size(item['bytes'])})"
    for error in offline["errors"]:
        yield f"!! {error}"
    if offline["errors"]:
        return
    if not offline["encoders"]:
        yield f"other encoders: none cached; with a network this fetches one: {offline['fetch_encoder']}"
    if not offline["detectors"]:
        yield (
            "other detectors: none cached; an Ultralytics detection model with a class 'hand' is named so: "
            f"{offline['fetch_detector']}. Without hands: xmic embed --encoder NAME --streams full"
        )


def _size(count: int | None) -> str:
    if count is None:
        return "unknown"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
