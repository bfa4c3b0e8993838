"""The report's page in a real browser: what no parser of HTML can tell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine.machine import Machine
from pipelines.engine.progress import Silent
from pipelines.engine.workspace import Workspace
from pipelines.evaluate.run import evaluate
from pipelines.evaluate.trained import find_run
from pipelines.report.write import write_report
from pipelines.train.options import TrainOptions
from pipelines.train.plan import plan_run
from pipelines.train.run import train_run

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not BROWSER or not DRIVER, reason="chromium and chromedriver are not installed")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb",
)  # fmt: skip
_OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(DRIVER)) as driver:
        yield driver


@pytest.fixture
def page(embedded: Workspace, browser: Any) -> Any:
    """The page of X-MIC and zero-shot, with every section in it, just loaded at a desk's width."""
    for method, settings in (("zero-shot", {}), ("xmic", {"epochs": 2, "batch": 6})):
        planned = plan_run(embedded, TrainOptions("mine", method, set=settings, classify="hand"))
        train_run(embedded, planned, Machine(device="cpu"), Silent())
        run = find_run(embedded, planned.name)
        evaluate(embedded, run, [("mine", "val"), ("other", "val")], Machine(device="cpu"), Silent())
    _change_answers(embedded)
    written = write_report(embedded)
    browser.get_log("performance")
    browser.set_window_size(1200, 900)
    browser.get(Path(written["html"]).as_uri())
    return browser


def _change_answers(workspace: Workspace) -> None:
    """So small a training need not change any: turn X-MIC's scores round, so that there is something to show."""
    (file,) = (workspace.root / "evaluations").glob("xmic-*/other-val/predictions.parquet")
    rows = pq.read_table(file)
    column = rows.schema.get_field_index("noun_scores")
    scores = np.array(rows.column(column).to_pylist(), np.float32)
    turned = pa.FixedSizeListArray.from_arrays(pa.array(-scores.reshape(-1)), scores.shape[1])
    pq.write_table(rows.set_column(column, rows.schema.field(column), turned), file)


def _texts(page: Any, selector: str) -> list[str]:
    return [element.text for element in page.find_elements("css selector", selector)]


def test_it_loads_without_an_error_and_asks_for_nothing(page: Any) -> None:
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert any(url.endswith("index.html") for url in asked)


def test_every_section_is_there_and_its_pictures_load(page: Any) -> None:
    heads = _texts(page, "h2")
    assert heads == [
        "Against zero-shot",
        "Results",
        "The paper’s tables",
        "Shared against novel",
        "Figure: top-1 accuracy",
        "Accuracy over epochs",
        "Changed answers",
        "Per class",
        "Missing or failed",
        "Provenance",
    ]
    widths = page.execute_script("return [...document.images].map((image) => image.naturalWidth)")
    assert widths
    assert all(widths)
    assert page.execute_script("return [...document.images].every((image) => image.alt)")


def test_the_tables_sort_by_each_column_both_ways(page: Any) -> None:
    table = page.find_element("css selector", "table.sortable")
    for column in range(6):
        head = table.find_elements("css selector", "thead th")[column]
        for _ in range(2):
            head.find_element("css selector", "button").click()
            direction = head.get_attribute("aria-sort")
            cells = _texts(table, f"tbody tr > :nth-child({column + 1})")
            assert len(cells) > 1
            known = [cell.lower() for cell in cells if cell != "–"]
            assert cells[len(known) :] == ["–"] * (len(cells) - len(known))
            values: list[Any] = [float(cell) for cell in known] if 2 <= column <= 4 else known
            assert values == sorted(values, reverse=direction == "descending")
        assert direction in ("ascending", "descending")


def test_the_search_hides_other_classes_and_says_how_many_are_left(page: Any) -> None:
    names = _texts(page, "#classes-1 tbody th")
    page.find_element("css selector", "input[data-search=classes-1]").send_keys(names[0])
    assert _texts(page, "#classes-1 tbody tr:not([hidden]) th") == [name for name in names if names[0] in name]
    assert page.find_element("id", "classes-1-found").text.endswith(f"of {len(names)} classes")


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_overflows_on_a_small_screen(page: Any, width: int) -> None:
    # Chromium makes no window narrower than 500 pixels: the screen of a phone is emulated.
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.refresh()
        assert page.execute_script("return window.innerWidth") == width
        assert page.execute_script(_OVERFLOW) <= 0
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_light_and_dark_differ_and_both_can_be_read(page: Any) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        colours = page.execute_script("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
        ink, ground = (sum(map(int, colour[4:-1].split(","))) / 3 for colour in colours)
        assert abs(ink - ground) > 150
        grounds.append(ground)
    assert grounds[0] > 200 > 60 > grounds[1]


def test_every_control_is_reached_by_the_keyboard(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    wanted = page.execute_script("return document.querySelectorAll('a, summary, input, .scroll').length")
    reached = set()
    for _ in range(400):
        page.switch_to.active_element.send_keys(Keys.TAB)
        place = page.execute_script(
            "return [...document.querySelectorAll('a, summary, input, .scroll')].indexOf(document.activeElement)"
        )
        reached.add(place)
        if page.execute_script("return document.activeElement === document.body"):
            break
    hidden = page.execute_script("return document.querySelectorAll('details:not([open]) :is(input, .scroll)').length")
    assert len(reached - {-1}) == wanted - hidden
