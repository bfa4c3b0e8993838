"""The report's page in a real browser: what no parser of HTML can tell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from pipelines.engine.workspace import Workspace
from pipelines.report.write import write_report
from tests.pipelines.browser_pages import NEEDS_BROWSER, OVERFLOW, overflow, requests_beyond_the_page

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def file(answered_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of X-MIC and zero-shot, with every section in it."""
    folder = tmp_path_factory.mktemp("reported") / "work"
    shutil.copytree(answered_once, folder)
    return Path(write_report(Workspace.open(folder))["html"])


def _texts(page: Any, selector: str) -> list[str]:
    return [element.text for element in page.find_elements("css selector", selector)]


def _unfold(page: Any) -> None:
    page.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")


def test_it_loads_without_an_error_and_asks_for_nothing(page: Any) -> None:
    assert page.get_log("browser") == []
    assert requests_beyond_the_page(page) == []


def test_every_section_is_there_in_order_and_its_pictures_load(page: Any) -> None:
    heads = _texts(page, "h2")
    assert heads == [
        "What the runs show",
        "Top-1 accuracy",
        "Clips and answers",
        "What is taken for what",
        "Map of the clips",
        "Learning curves",
        "Tables",
        "Not run yet",
        "How this was made",
    ]
    widths = page.execute_script("return [...document.images].map((image) => image.naturalWidth)")
    assert widths
    assert all(widths)
    assert page.execute_script("return [...document.images].every((image) => image.alt)")


def test_the_first_plot_and_the_first_picture_are_seen_early(page: Any) -> None:
    for selector in (".plot", "img"):
        place = page.execute_script("return document.querySelector(arguments[0]).getBoundingClientRect().top", selector)
        assert place + page.execute_script("return scrollY") < 1500


def test_the_rows_of_nouns_and_verbs_are_side_by_side(page: Any) -> None:
    places = [
        [round(row.rect["y"]) for row in panel.find_elements("css selector", ".row")]
        for panel in page.find_elements("css selector", ".plot:first-of-type .panel")
    ]
    assert len(places) == 2
    assert places[0] == places[1]


def test_everything_but_the_first_sections_is_folded(page: Any) -> None:
    assert page.execute_script("return document.querySelectorAll('details.table').length") >= 4
    assert page.execute_script("return document.querySelectorAll('details[open]').length") == 0


def test_the_tables_sort_by_each_column_both_ways(page: Any) -> None:
    _unfold(page)
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
    _unfold(page)
    names = _texts(page, "#classes-1 tbody th")
    search = page.find_element("css selector", "input[data-search=classes-1]")
    page.execute_script("arguments[0].scrollIntoView()", search)
    WebDriverWait(page, 30).until(lambda _: search.is_displayed())
    search.send_keys(names[0])
    assert _texts(page, "#classes-1 tbody tr:not([hidden]) th") == [name for name in names if names[0] in name]
    assert page.find_element("id", "classes-1-found").text.endswith(f"of {len(names)} classes")


def test_a_cell_of_the_confusion_lists_its_clips(page: Any) -> None:
    cell = page.find_element("css selector", "#confusion-matrix button.wrong")
    said = cell.get_attribute("aria-label")
    truth, answer = said.partition(":")[0].split(" answered ")
    cell.click()
    assert page.find_element("css selector", "#confusion-clips h3").text == f"{truth}, taken for {answer}"
    clips = _texts(page, "#confusion-clips li")
    assert clips
    assert page.find_element("css selector", "#confusion-clips p").text.startswith(str(len(clips)))
    assert cell.get_attribute("aria-pressed") == "true"


def test_a_listed_clip_is_shown_in_the_gallery(page: Any) -> None:
    from selenium.webdriver.support.select import Select

    Select(page.find_element("name", "label")).select_by_index(1)
    for cell in page.find_elements("css selector", "#confusion-matrix button"):
        cell.click()
        shown = page.find_elements("css selector", "#confusion-clips li:has(.show)")
        if shown:
            break
    clip_id = shown[0].find_element("css selector", "code").text
    shown[0].find_element("css selector", ".show").click()
    page.implicitly_wait(1)
    clip = page.find_element("css selector", f"article[data-clip='{clip_id}']:focus-within")
    assert clip.is_displayed()


def test_every_evaluation_and_label_has_a_matrix_whose_rows_sum_to_their_clips(page: Any) -> None:
    from selenium.webdriver.support.select import Select

    seen = set()
    for evaluation in range(len(_texts(page, "#confusion-of option"))):
        Select(page.find_element("id", "confusion-of")).select_by_index(evaluation)
        for label in ("nouns", "verbs"):
            Select(page.find_element("id", "confusion-label")).select_by_visible_text(label)
            rows = page.find_elements("css selector", "#confusion-matrix tbody tr")
            assert rows
            for row in rows:
                total = int(row.find_element("css selector", "th small").text)
                assert total == sum(int(cell.text) for cell in row.find_elements("css selector", "button"))
            seen.add((Select(page.find_element("id", "confusion-of")).first_selected_option.text, label))
    assert len(seen) == 8  # two runs on two targets


def test_arrow_keys_go_through_the_confusion_which_is_one_stop(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    (first,) = page.find_elements("css selector", "#confusion-matrix button[tabindex='0']")
    page.execute_script("arguments[0].focus()", first)
    for key in (Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT):
        page.switch_to.active_element.send_keys(key)
    reached = page.switch_to.active_element
    assert reached != first
    assert reached.find_element("xpath", "ancestor::table").get_attribute("id") == "confusion-matrix"
    assert len(page.find_elements("css selector", "#confusion-matrix button[tabindex='0']")) == 1
    reached.send_keys(Keys.ENTER)
    assert reached.get_attribute("aria-pressed") == "true"


def test_a_button_copies_its_command_and_another_one_all_of_them(page: Any) -> None:
    page.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    _unfold(page)
    commands = _texts(page, "#not-run-commands code")
    button = page.find_element("css selector", "#not-run-commands button.copy")
    button.click()
    assert page.execute_script("return window.copied") == commands[0]
    assert button.text == "Copied"
    page.find_element("css selector", "button[data-copy]").click()
    assert page.execute_script("return window.copied").split("\n") == commands
    assert len(commands) > 3


def test_provenance_is_a_file_to_save(page: Any) -> None:
    link = page.find_element("css selector", "a[download]")
    assert link.get_attribute("download") == "provenance.json"
    said = json.loads(page.execute_script("return fetch(arguments[0].href).then((answer) => answer.text())", link))
    assert {item["run"]["method"] for item in said["evaluations"]} == {"xmic", "zero-shot"}
    assert all(item["commands"] and item["protocol"] for item in said["evaluations"])


def test_everything_is_unfolded_on_paper_and_folded_again_after(page: Any) -> None:
    closed = page.execute_script("return document.querySelectorAll('details:not([open])').length")
    assert closed
    page.execute_script(
        "addEventListener('beforeprint', () => {"
        " window.closedOnPaper = document.querySelectorAll('details:not([open])').length; })"
    )
    page.print_page()
    assert page.execute_script("return window.closedOnPaper") == 0
    assert page.execute_script("return document.querySelectorAll('details:not([open])').length") == closed


@pytest.mark.parametrize("width", [360, 390, 768, 1200])
def test_nothing_overflows_on_any_screen(page: Any, width: int) -> None:
    assert overflow(page, width) <= 0


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_overflows_unfolded(page: Any, width: int) -> None:
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        _unfold(page)
        assert page.execute_script(OVERFLOW) <= 0
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_first_column_stays_when_a_table_is_scrolled(page: Any) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        _unfold(page)
        head = "document.querySelector('[aria-labelledby=results-noun] tbody th').getBoundingClientRect().left"
        before = page.execute_script(f"return {head}")
        moved = page.execute_script(
            "const box = document.querySelector('[aria-labelledby=results-noun]');"
            "box.scrollLeft = 200; return box.scrollLeft"
        )
        assert moved > 50
        assert abs(page.execute_script(f"return {head}") - before) <= 1
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

    controls = "a, summary, input, select, .scroll, .copy, #confusion-matrix button[tabindex='0']"
    wanted = page.execute_script("return document.querySelectorAll(arguments[0]).length", controls)
    reached = set()
    for _ in range(400):
        page.switch_to.active_element.send_keys(Keys.TAB)
        place = page.execute_script(
            "return [...document.querySelectorAll(arguments[0])].indexOf(document.activeElement)", controls
        )
        reached.add(place)
        if page.execute_script("return document.activeElement === document.body"):
            break
    hidden = page.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((one) => one.closest('details:not([open])')"
        " && !one.matches('details:not(details *) > summary')).length",
        controls,
    )
    assert len(reached - {-1}) == wanted - hidden
