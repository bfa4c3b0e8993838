"""Write scripts into the names that pages show, and see in a real browser that none runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_manifests.errors import XmicError
from pipelines.engine.workspace import Workspace
from pipelines.look.options import LookOptions
from pipelines.look.page import write_look
from pipelines.report.write import write_report
from tests.pipelines.browser_pages import BROWSER, DRIVER, open_browser, open_page, requests_beyond_the_page
from tests.pipelines.embedded_world import add_dataset
from tests.pipelines.report.answered_world import answer
from tests.video_maker import make_video

HAVE_BROWSER = bool(BROWSER and DRIVER)

SCRIPTS = (
    "<script>window.hit=1</script>",
    "</script><script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "'><svg onload='window.hit=1'>",
    "</style></title><script>window.hit=1</script>",
    "<!--<script>window.hit=1</script>-->",
    "{{ 7*7 }}{% for a in b %}",
    "javascript:window.hit=1",
    "<iframe src=http://127.0.0.1:9/>",
    "<a href=http://127.0.0.1:9/ ping=x>link</a>",
    "\\u003cscript\\u003ewindow.hit=1\\u003c/script\\u003e",
    "<meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
)
"""Names that would run a script or load something, if a page did not escape them."""


def attack_pages(folder: Path) -> Iterator[str | None]:
    """Give scripts to the pages of ``look`` and ``report`` as verbs, nouns, files and facts of runs.

    Yields:
        For each page what went wrong; None where it held.
    """
    with open_browser(folder / "browser") as browser:
        for number in range(0, len(SCRIPTS), 3):
            scripts = SCRIPTS[number : number + 3]
            workspace = _world(folder / str(number), scripts)
            for file in (write_look(workspace, LookOptions("mine"))["html"], write_report(workspace)["html"]):
                yield _ran(browser, Path(file), scripts)
        for number, script in enumerate(SCRIPTS):
            yield _metrics(browser, folder / f"metrics{number}", script)


def _world(folder: Path, scripts: tuple[str, ...]) -> Workspace:
    """A workspace whose classes are scripts, trained and evaluated."""
    workspace = Workspace.open(folder / "work")
    actions = tuple((_cell(f"cut {script}"), _cell(script)) for script in scripts)
    for name in ("mine", "other"):
        add_dataset(workspace, folder, make_video, name, actions=actions)
    answer(workspace)
    return workspace


def _cell(text: str) -> str:
    """A cell of a csv."""
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow([text])
    return line.getvalue()


def _metrics(browser: Any, folder: Path, script: str) -> str | None:
    """Give a script to the report as every text of an evaluation that somebody else made."""
    from tests.pipelines.report.conftest import METRICS

    made = json.loads(json.dumps(METRICS))
    made["run"] |= {"method": script, "preset": script, "recipe": script, "key": script}
    made |= {"commands": [script], "versions": {script: script}, "random_weights": [script], "mixed": [script]}
    made["protocol"] |= {"encoder": script, "prompt": script}
    place = folder / "work" / "evaluations" / made["run"]["name"] / "clips-val"
    place.mkdir(parents=True)
    (place / "metrics.json").write_text(json.dumps(made))
    try:
        file = Path(write_report(Workspace.open(folder / "work"))["html"])
    except XmicError:
        return None
    return _ran(browser, file, (script,))


def _ran(browser: Any, file: Path, scripts: tuple[str, ...]) -> str | None:
    """What the page did that it should not."""
    open_page(browser, file)
    browser.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")
    hit = browser.execute_script("return window.hit")
    said, asked = browser.get_log("browser"), requests_beyond_the_page(browser)
    strange = browser.execute_script("return document.querySelectorAll('iframe, img[src=x], svg[onload]').length")
    if hit or said or asked or strange:
        return f"{file.name} with {scripts}: hit {hit}, {said}, {asked}, {strange} strange elements"
    return None
