"""What Slurm does with the jobs of ``xmic slurm``: a stand-in for ``sbatch`` and ``scontrol`` that runs them at once.

Called as ``sbatch`` it runs every task of the script, one after another, with the variables and the log file of
Slurm, and queues a task again that ``scontrol requeue`` named or whose node died (the whole task was killed). A job
whose dependency did not end well is cancelled. ``STAND_IN`` names its folder, in which ``jobs.json`` says what ran.

A file ``trouble/<job name>-<task>`` says how the first try of a task is disturbed once xmic has begun to decode:
``USR1`` sends the warning of the time limit to the shell, ``KILL`` kills the task with all its processes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

STATE = Path(os.environ["STAND_IN"])
_JOBS = STATE / "jobs.json"


def _sbatch(arguments: list[str]) -> int:
    *options, name = arguments
    jobs: dict[str, Any] = json.loads(_JOBS.read_text()) if _JOBS.exists() else {}
    number = str(101 + len(jobs))
    script = Path(name).read_text()
    settings = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script, re.MULTILINE))
    needed = [part.partition("afterok:")[2] for part in options if part.startswith("--dependency=")]
    job = {"script": name, "settings": settings, "options": options, "tries": [], "state": "CANCELLED"}
    if all(jobs[one]["state"] == "COMPLETED" for one in needed):
        first, _, last = settings.get("array", "0-0").partition("-")
        codes = [_task(number, task, name, settings, job["tries"]) for task in range(int(first), int(last) + 1)]
        job["state"] = "FAILED" if any(codes) else "COMPLETED"
    _JOBS.write_text(json.dumps({**jobs, number: job}, indent=1))
    print(f"{number};cluster")
    return 0


def _task(number: str, task: int, script: str, settings: dict[str, str], tries: list[Any]) -> int:
    is_array = "array" in settings
    own = f"{number}_{task}" if is_array else number
    log = Path(settings["output"].replace("%A", number).replace("%a", str(task)).replace("%j", number))
    variables = {"SLURM_JOB_ID": own if not is_array else str(900 + int(number) + task)}
    if is_array:
        variables |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(task)}
    for attempt in range(4):
        with log.open("a" if settings["open-mode"] == "append" else "w") as out:
            process = subprocess.Popen(
                ["bash", script],
                env={**os.environ, **variables, "SLURM_RESTART_COUNT": str(attempt)},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            trouble = STATE / "trouble" / f"{settings['job-name']}-{task}"
            if attempt == 0 and trouble.exists():
                threading.Thread(target=_disturb, args=(process, trouble.read_text()), daemon=True).start()
            code = process.wait()
        tries.append([task, code])
        asked = STATE / f"requeue-{own}"
        node_died = code == -signal.SIGKILL
        if not asked.exists() and not (node_died and "requeue" in settings):
            return code
        asked.unlink(missing_ok=True)
    return 1


def _disturb(process: subprocess.Popen[bytes], how: str) -> None:
    work = Path(os.environ["STAND_IN_WORKSPACE"])
    while process.poll() is None and not any((work / "tmp").glob("decode-*")):
        time.sleep(0.01)
    if how == "KILL":
        os.killpg(process.pid, signal.SIGKILL)
        for lock in (work / "frames").rglob("*.lock"):
            if lock.stat().st_size:  # what a node leaves that died 100 seconds ago; its leases end 20 seconds later
                lock.write_text(json.dumps({"host": "dead-node", "pid": 1}))
                os.utime(lock, (time.time() - 100, time.time() - 100))
    else:
        process.send_signal(signal.SIGUSR1)


def _scontrol(arguments: list[str]) -> int:
    what, job = arguments
    assert what == "requeue"
    (STATE / f"requeue-{job}").touch()
    return 0


if __name__ == "__main__":
    sys.exit({"sbatch": _sbatch, "scontrol": _scontrol}[sys.argv[1]](sys.argv[2:]))
