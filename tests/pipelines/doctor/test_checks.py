from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from pipelines.doctor import checks as doctor
from pipelines.doctor import probe as doctor_probe
from pipelines.doctor import trials as doctor_trials
from pipelines.doctor.checks import TRIALS, Dependency, examine

BROKEN = {
    "raises": "raise ImportError('libfoo.so.1: cannot open shared object file')",
    "exits": "raise SystemExit('no licence')",
    "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
    "leaves": "import os\nos._exit(7)",
    "hangs": "import time\ntime.sleep(600)",
    "chatty": "print('{\"imports\": false}')",
}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Dependency]:
    folder = tmp_path / "broken"
    folder.mkdir()
    for name, body in BROKEN.items():
        (folder / f"xmic_test_{name}.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return {name: Dependency(f"xmic-test-{name}", f"xmic_test_{name}") for name in BROKEN}


def _examine(tmp_path: Path, *dependencies: Dependency, timeout_s: float = 30) -> dict:
    return examine(tmp_path / "ws", dependencies, (), timeout_s)


def test_every_way_an_import_can_fail_is_reported_and_the_rest_goes_on(
    tmp_path: Path, broken: dict[str, Dependency]
) -> None:
    wanted = [broken[name] for name in ("raises", "exits", "crashes", "leaves", "chatty")]
    result = _examine(tmp_path, *wanted, Dependency("av", "av"), Dependency("nowhere-to-be-had", "xmic_test_nowhere"))
    found = {item["module"].removeprefix("xmic_test_"): item for item in result["dependencies"]}
    # Not distributions, so all that does not import counts as not installed; the probes say how it failed.
    assert not result["ok"]
    assert [name for name, item in found.items() if item["imports"]] == ["chatty", "av"]
    assert found["nowhere"]["problem"] == "not installed"
    assert found["nowhere"]["advice"] == f"{sys.executable} -m pip install 'nowhere-to-be-had'"
    assert result["ffmpeg"]["decoders"]["h264"] == "h264"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("raises", "ImportError: libfoo.so.1: cannot open shared object file"),
        ("exits", "SystemExit: no licence"),
        ("crashes", "crashed with SIGSEGV (File "),
        ("leaves", "ended with exit code 7"),
    ],
)
def test_the_error_of_an_installed_but_broken_dependency_is_told_with_what_to_do(
    tmp_path: Path, broken: dict[str, Dependency], name: str, problem: str
) -> None:
    # Under the name of a distribution that is installed.
    (item,) = _examine(tmp_path, Dependency("rich", broken[name].module))["dependencies"]
    assert not item["imports"]
    assert item["problem"].startswith(problem)
    assert item["installed"]
    assert item["advice"].startswith(f"{sys.executable} -m pip install --force-reinstall 'rich")


def test_an_import_that_hangs_is_ended_and_reported(tmp_path: Path, broken: dict[str, Dependency]) -> None:
    (item,) = _examine(tmp_path, Dependency("rich", broken["hangs"].module), timeout_s=1)["dependencies"]
    assert item["problem"] == "did not finish in 1 s"


def test_a_crash_in_the_questions_does_not_make_the_import_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    # A package named av that imports but has none of PyAV's contents.
    (folder / "av.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    result = _examine(tmp_path, Dependency("av", "av"))
    assert result["ok"]
    assert result["dependencies"][0]["problem"].startswith("AttributeError: ")
    assert result["ffmpeg"]["error"].startswith("av cannot be asked: AttributeError: ")


def test_without_torch_the_devices_say_so_and_still_count_cores_and_memory(tmp_path: Path) -> None:
    devices = _examine(tmp_path, Dependency("torch", "xmic_test_nowhere"))["devices"]
    assert devices["cpu_cores"] >= 1
    assert devices["memory_bytes"] is None or devices["memory_bytes"] > 0
    assert devices["error"].startswith("PyTorch cannot be asked")


VIDEO, SHARD = (next(trial for trial in TRIALS if trial.name == name) for name in ("video", "shard"))

# Replaces itself by the real PyAV, whose open() takes no options.
AV_WITHOUT_OPTIONS = """
import importlib, pathlib, sys
sys.path = [entry for entry in sys.path if pathlib.Path(entry) != pathlib.Path(__file__).parent]
del sys.modules["av"]
av = importlib.import_module("av")
real = av.open
def open(file, mode=None, **arguments):
    if "options" in arguments:
        raise TypeError("open() got an unexpected keyword argument 'options'")
    return real(file, mode, **arguments)
av.open = open
"""


def _fake_av(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "av.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_every_trial_works_on_a_sound_machine(tmp_path: Path) -> None:
    result = examine(tmp_path, (), TRIALS)
    assert {trial["name"]: trial["problem"] for trial in result["trials"]} == dict.fromkeys(doctor_trials.TRIALS)
    assert all(trial["works"] for trial in result["trials"])
    assert result["ok"]


def test_a_dependency_that_imports_but_lacks_what_we_call_is_found_by_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_av(tmp_path, monkeypatch, AV_WITHOUT_OPTIONS)
    result = examine(tmp_path, (Dependency("av", "av"),), (VIDEO, SHARD))
    video, shard = result["trials"]
    assert result["dependencies"][0]["imports"]
    assert not video["works"]
    where = r"\(pipelines/decode/container\.py, line \d+\)"
    assert re.fullmatch(rf"TypeError: open\(\) got an unexpected keyword argument 'options' {where}", video["problem"])
    assert video["advice"].startswith(f"it rests on opencv-python {doctor._version('opencv-python')}, ")
    assert f"{sys.executable} -m pip install " in video["advice"]
    assert video["advice"].endswith("report it with the output of: xmic doctor --json")
    assert shard["works"]
    assert not result["ok"]


def test_what_rests_on_a_broken_dependency_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_av(tmp_path, monkeypatch, "raise ImportError('libavcodec.so.62')")
    video, shard = examine(tmp_path, (Dependency("av", "av"),), (VIDEO, SHARD))["trials"]
    assert not video["works"]
    assert video["problem"] == "not tried, because av cannot be imported (see above)"
    assert shard["works"]


def test_a_trial_that_crashes_or_hangs_is_ended_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_av(tmp_path, monkeypatch, BROKEN["crashes"])
    (video,) = examine(tmp_path, (), (VIDEO,))["trials"]
    assert video["problem"].startswith("crashed with SIGSEGV (File ")
    (tmp_path / "fake" / "av.py").write_text(BROKEN["hangs"])
    (video,) = examine(tmp_path, (), (VIDEO,), timeout_s=1)["trials"]
    assert video["problem"] == "did not finish in 1 s"


def test_trials_rest_on_dependencies_that_are_required() -> None:
    known = {item.module for item in doctor.DEPENDENCIES}
    assert all(set(trial.modules) <= known for trial in TRIALS)


TORCH = {"details": {"cpu_capability": "AVX2", "threads": 2, "built_for_cuda": None, "cuda": [], "cuda_bf16": False}}


def test_auto_means_what_the_workspace_has_fixed_before_what_the_hardware_would_give() -> None:
    card = {"index": 0, "name": "T4", "memory_bytes": 16 << 30}
    with_card = {"details": {**TORCH["details"], "cuda": [card]}}
    assert doctor._devices(TORCH, {})["auto_device"] == "cpu"
    found = doctor._devices(with_card, {})
    assert (found["auto_device"], found["auto_precision"], found["precision_from"]) == ("cuda", "fp16", "hardware")
    found = doctor._devices(with_card, {"cuda": "bf16"})
    assert (found["auto_precision"], found["precision_from"]) == ("bf16", "workspace")


@pytest.mark.parametrize("installed", ["2.5.1+cpu", "3.0.0"])
def test_a_version_outside_the_required_range_is_reported(monkeypatch: pytest.MonkeyPatch, installed: str) -> None:
    monkeypatch.setattr(doctor, "_version", lambda _: installed)
    monkeypatch.setattr(doctor, "_requirement", lambda _: "torch<3,>=2.6")
    package = doctor._package(Dependency("torch", "torch"), {"imports": True, "error": None, "details_error": None})
    assert package["problem"] == "outside torch<3,>=2.6"
    assert package["advice"] == f"{sys.executable} -m pip install --upgrade 'torch<3,>=2.6'"


@pytest.mark.parametrize(
    ("installed", "fits"), [("2.10", True), ("2.6", True), ("2.5.9", False), ("1.26", False), ("10.0", False)]
)
def test_versions_are_compared_as_numbers(installed: str, fits: bool) -> None:
    assert doctor._fits(installed, "torch<3,>=2.6") is fits


def test_the_workspace_is_described_without_pyarrow(tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    assert _examine(tmp_path)["workspace"] == {
        "path": str(workspace),
        "exists": False,
        "datasets": {},
        "missing_roots": [],
    }
    (workspace / "manifests" / "epic" / "val").mkdir(parents=True)
    (workspace / "manifests" / "epic" / "val" / "clips.parquet").touch()
    (workspace / "workspace.toml").write_text(
        f'layout = 1\n[datasets."epic"]\nreader = "epic"\nroots = ["{tmp_path}", "{tmp_path}/gone"]\ngroups = 4\n'
    )
    found = _examine(tmp_path)["workspace"]
    assert found["datasets"] == {"epic": ["val"]}
    assert found["missing_roots"] == [f"{tmp_path}/gone"]


def test_a_damaged_workspace_file_is_named_and_nothing_else_suffers(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "workspace.toml").write_text("layout = [")
    result = _examine(tmp_path, Dependency("rich", "rich"))
    assert result["workspace"]["error"].startswith(f"{tmp_path / 'ws' / 'workspace.toml'}: cannot be read (")
    assert result["ok"]
    assert result["devices"]["cpu_cores"] >= 1


def test_disk_of_a_workspace_that_is_not_there_yet_is_that_of_its_nearest_folder(tmp_path: Path) -> None:
    disk = examine(tmp_path / "a" / "b", (), ())["disk"]
    assert disk["path"] == str(tmp_path)
    assert 0 < disk["free_bytes"] <= disk["total_bytes"]


def test_caches_are_found_where_the_environment_puts_them_and_links_are_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    _cached_weights(tmp_path / "hf" / "hub", "timm/vit_small_patch14_dinov2.lvd142m", "model.safetensors", b"x" * 10)
    caches = {cache["what"]: cache for cache in examine(tmp_path, (), ())["caches"]}
    assert caches["Hugging Face hub"]["path"] == str(tmp_path / "hf" / "hub")
    assert caches["Hugging Face hub"]["weights_bytes"] == 10
    assert not caches["torch hub"]["exists"] or caches["torch hub"]["weights_bytes"] >= 0


def _cached_weights(hub: Path, repository: str, name: str, content: bytes) -> None:
    """What the hub's client leaves behind: blobs, a snapshot of links, a ref."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123"
    for part in (folder / "blobs", folder / "refs", snapshot):
        part.mkdir(parents=True)
    (folder / "blobs" / "abcd").write_bytes(content)
    (folder / "refs" / "main").write_text("0123")
    (snapshot / name).symlink_to(folder / "blobs" / "abcd")


def test_only_models_whose_weights_are_cached_count_as_usable_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    dependencies = (Dependency("timm", "timm"), Dependency("open_clip_torch", "open_clip"))
    _cached_weights(tmp_path, "timm/vit_small_patch14_dinov2.lvd142m", "model.safetensors", b"x" * 10)
    _cached_weights(tmp_path, "timm/vit_base_patch16_clip_224.openai", "open_clip_model.safetensors", b"x" * 20)
    # Without its weights a repository in the cache is of no use.
    _cached_weights(tmp_path, "timm/vit_base_patch14_dinov2.lvd142m", "config.json", b"{}")
    offline = examine(tmp_path / "ws", dependencies, ())["offline"]
    sizes = {item["spec"]: item["bytes"] for item in offline["encoders"]}
    assert sizes["timm:vit_small_patch14_dinov2.lvd142m"] == 10
    assert sizes["open_clip:ViT-B-16/openai"] == 20
    assert not [spec for spec in sizes if "vit_base_patch14_dinov2" in spec]


def test_what_can_not_be_asked_is_no_claim_that_nothing_is_cached(tmp_path: Path) -> None:
    offline = _examine(tmp_path, Dependency("timm", "xmic_test_nowhere"))["offline"]
    assert offline["encoders"] == []
    assert any(error.startswith("timm cannot be asked") for error in offline["errors"])


def test_av1_counts_only_when_a_software_decoder_is_there() -> None:
    decoders = doctor_probe.av_details()["decoders"]
    assert set(decoders) == {"h264", "hevc", "vp9", "av1", "mpeg4", "gif", "mjpeg"}
    assert decoders["av1"] in (None, "libdav1d", "libaom-av1")


@pytest.mark.parametrize("module", [doctor, doctor_probe, doctor_trials])
def test_only_the_standard_library_is_imported_at_module_level(module: object) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert names
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
