from __future__ import annotations

import subprocess
import sys

import pytest

from data_manifests.errors import UsageError
from pipelines.chain.executor_options import ExecutorOptions
from pipelines.chain.on_ray import RayExecutor
from pipelines.engine.machine import Machine


@pytest.mark.parametrize("given", [{"address": "auto"}, {"gpus": 0.5}])
def test_options_of_ray_are_refused_without_it(given: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="it is for a Ray cluster. Add --executor ray"):
        ExecutorOptions(**given)  # type: ignore[arg-type]


def test_a_share_of_several_gpus_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--gpus 1.5: expected a whole number, or a share below 1"):
        ExecutorOptions("ray", gpus=1.5)
    assert ExecutorOptions("ray", gpus=2.0).gpus == 2


def test_ray_client_is_refused() -> None:
    with pytest.raises(UsageError, match="Run xmic on a node of the cluster"):
        ExecutorOptions("ray", "ray://head:10001")


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"the package ray is not installed. Run pip install 'xmic\[ray\]'\."):
        RayExecutor(ExecutorOptions("ray"), Machine(), None)


def test_no_module_imports_ray_by_itself() -> None:
    modules = "xmic_cli.app, xmic_cli.executors, pipelines.chain.run, pipelines.chain.on_ray, pipelines.predict"
    code = f"import sys, {modules}; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
