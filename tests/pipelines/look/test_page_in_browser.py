"""The page of ``xmic look`` in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.look.options import LookOptions
from pipelines.look.page import write_look
from tests.pipelines.browser_pages import NEEDS_BROWSER, overflow, requests_beyond_the_page

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def file(embedded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look") / "work"
    shutil.copytree(embedded_once / "work", folder)
    return Path(write_look(Workspace.open(folder), LookOptions("mine"))["html"])


def test_it_loads_without_an_error_and_asks_for_nothing(page: Any) -> None:
    assert page.get_log("browser") == []
    assert requests_beyond_the_page(page) == []
    assert page.execute_script("return [...document.images].every((image) => image.naturalWidth && image.alt)")
    assert page.execute_script("return document.images.length") > 0


@pytest.mark.parametrize("width", [390, 1200])
def test_it_is_not_wider_than_the_screen(page: Any, width: int) -> None:
    assert overflow(page, width) <= 0


def test_filters_show_the_clips_that_match_and_say_how_many(page: Any) -> None:
    from selenium.webdriver.support.ui import Select

    def shown() -> list[str]:
        clips = page.find_elements("css selector", ".clip:not([hidden])")
        assert page.find_element("css selector", ".filters output").text == f"{len(clips)} of 12 clips"
        return [clip.get_attribute("data-tokens") for clip in clips]

    assert len(shown()) == 12
    Select(page.find_element("name", "split")).select_by_value("split:val")
    assert len(shown()) == 6
    Select(page.find_element("name", "noun")).select_by_visible_text("bread")
    found = shown()
    assert len(found) == 2
    assert all("split:val" in tokens for tokens in found)
    page.find_element("css selector", ".filters button[type=reset]").click()
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert len(shown()) == 12


def test_a_clip_steps_by_the_keyboard_and_its_frame_moves(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    film = page.find_element("css selector", ".film")
    reel = film.find_element("css selector", ".reel")
    places = []
    for key in (Keys.HOME, Keys.ARROW_RIGHT, Keys.END, Keys.ARROW_RIGHT, Keys.ARROW_LEFT):
        film.send_keys(key)
        left = page.execute_script("return arguments[0].getBoundingClientRect().left", reel)
        inside = page.execute_script("return arguments[0].parentElement.getBoundingClientRect().left", reel)
        width = page.execute_script("return arguments[0].parentElement.getBoundingClientRect().width", reel)
        assert round((inside - left) / width) == int(film.get_attribute("aria-valuenow")) - 1
        places.append(film.get_attribute("aria-valuenow"))
    assert places == ["1", "2", "4", "1", "4"]
    assert film.get_attribute("aria-valuetext").startswith("4 of 4: ")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_clip_under_the_pointer_plays_unless_motion_is_unwanted(page: Any, motion: str) -> None:
    from selenium.webdriver import ActionChains

    features = [{"name": "prefers-reduced-motion", "value": motion}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    film = page.find_element("css selector", ".film")
    before = film.get_attribute("aria-valuenow")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", film)
    ActionChains(page).move_to_element(film).perform()
    page.execute_async_script("setTimeout(arguments[0], 400)")
    assert (film.get_attribute("aria-valuenow") != before) == (motion == "no-preference")
    ActionChains(page).move_to_element(page.find_element("css selector", "h1")).perform()
    stopped = film.get_attribute("aria-valuenow")
    page.execute_async_script("setTimeout(arguments[0], 400)")
    assert film.get_attribute("aria-valuenow") == stopped


def test_a_tap_plays_a_clip_and_another_one_stops_it(page: Any) -> None:
    tap = "arguments[0].dispatchEvent(new PointerEvent('click', {pointerType: 'touch', bubbles: true}))"
    film = page.find_element("css selector", ".film")
    before = film.get_attribute("aria-valuenow")
    page.execute_script(tap, film)
    page.execute_async_script("setTimeout(arguments[0], 400)")
    assert film.get_attribute("aria-valuenow") != before
    page.execute_script(tap, film)
    before = film.get_attribute("aria-valuenow")
    page.execute_async_script("setTimeout(arguments[0], 400)")
    assert film.get_attribute("aria-valuenow") == before


def test_all_clips_play_and_stop(page: Any) -> None:
    button = page.find_element("css selector", ".filters button[aria-pressed]")
    places = "return [...document.querySelectorAll('.film')].map((film) => film.getAttribute('aria-valuenow')).join()"
    button.click()
    before = page.execute_script(places)
    page.execute_async_script("setTimeout(arguments[0], 400)")
    assert page.execute_script(places) != before
    button.click()
    before = page.execute_script(places)
    page.execute_async_script("setTimeout(arguments[0], 400)")
    assert page.execute_script(places) == before


def test_a_box_lies_on_its_frame(page: Any) -> None:
    # The fake detector marks the middle half of a frame.
    ratios = page.execute_script(
        """
        return [...document.querySelectorAll(".film rect")].map((rect) => {
          const box = rect.getBBox();
          const reel = rect.closest(".reel").getBoundingClientRect();
          const shown = rect.closest(".window").getBoundingClientRect();
          const count = Number(rect.closest(".film").getAttribute("aria-valuemax"));
          return [box.width * reel.width / count / shown.width, box.x % 1, rect.querySelector("title").textContent];
        });
        """
    )
    assert ratios
    for width, left, words in ratios:
        assert width == pytest.approx(0.5, abs=0.02)
        assert left == pytest.approx(0.25, abs=0.01)
        assert words == "hand 0.90"


def test_on_paper_every_frame_is_shown_and_no_control(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        reel = "document.querySelector('.reel').getBoundingClientRect()"
        window = "document.querySelector('.window').getBoundingClientRect()"
        assert page.execute_script(f"return Math.abs({reel}.width - {window}.width)") < 1
        assert not page.find_element("css selector", ".filters").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
