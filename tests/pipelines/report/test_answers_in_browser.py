"""Gallery, map and timeline in a real browser, on a page of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.workspace import Workspace
from pipelines.report.clip_map import clip_map
from pipelines.report.gallery import gallery
from pipelines.report.html_templates import html_environment
from pipelines.report.timeline import timelines
from tests.pipelines.browser_pages import NEEDS_BROWSER, overflow, requests_beyond_the_page
from tests.pipelines.kitchen_world import Kitchen
from tests.pipelines.report.answered_world import models

pytestmark = NEEDS_BROWSER

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>parts</title>
<style>{% include "page.css" %}{% include "gallery.css" %}
{% include "clip_map.css" %}{% include "timeline.css" %}</style>
</head><body><main>
{% include "gallery.html.j2" %}{% include "clip_map.html.j2" %}{% include "timeline.html.j2" %}
</main><script>"use strict";{% include "gallery.js" %}{% include "clip_map.js" %}</script></body></html>"""


@pytest.fixture(scope="module")
def file(answered_once: Path, kitchen: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = html_environment("pipelines.report")
    answered, videos = Workspace.open(answered_once), Workspace.open(kitchen.work)
    shown = models(answered)
    text = environment.from_string(PAGE).render(
        pictures=[],
        gallery=gallery(answered, shown),
        clip_map=clip_map(answered, shown),
        timelines=timelines(videos, models(videos)),
    )
    page = tmp_path_factory.mktemp("parts") / "index.html"
    page.write_text(text, "utf-8")
    return page


def choose(page: Any, name: str, value: str) -> list[set[str]]:
    """Choose in a filter; the tokens of the clips that are shown then."""
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("name", name)).select_by_value(value)
    return [
        set(clip.get_attribute("data-tokens").split())
        for clip in page.find_elements("css selector", ".clip:not([hidden])")
    ]


def test_it_loads_without_an_error_and_asks_for_nothing(page: Any) -> None:
    assert page.get_log("browser") == []
    assert requests_beyond_the_page(page) == []
    assert page.execute_script("return [...document.images].every((image) => image.naturalWidth && image.alt)")
    assert [head.text for head in page.find_elements("css selector", "h2")] == [
        "Clips and answers",
        "Map of the clips",
        "Along the video",
    ]


@pytest.mark.parametrize("width", [390, 1200])
def test_it_is_not_wider_than_the_screen(page: Any, width: int) -> None:
    assert overflow(page, width) <= 0


def test_answers_are_filtered_by_kind_label_and_model_together(page: Any) -> None:
    shown = choose(page, "answer", "right:{label}:{run}")
    assert shown
    assert all(any(token.startswith("right:") for token in tokens) for tokens in shown)
    shown = choose(page, "label", "verb")
    assert all(tokens & {"right:verb:0", "right:verb:1"} for tokens in shown)
    shown = choose(page, "run", "run:0")
    assert all("right:verb:0" in tokens for tokens in shown)
    assert page.find_element("css selector", ".filters output").text == f"{len(shown)} of 12 clips"
    visible = [bar for bar in page.find_elements("css selector", ".clip:not([hidden]) .bar") if bar.is_displayed()]
    assert visible == [] or {"run-0" in bar.get_attribute("class") for bar in visible} == {True}
    assert not any(part.is_displayed() for part in page.find_elements("css selector", ".answer-noun"))


def test_changed_and_novel_clips_are_found(page: Any) -> None:
    assert all(
        "changed:noun" in tokens or "changed:verb" in tokens for tokens in choose(page, "answer", "changed:{label}")
    )
    novel = choose(page, "answer", "novel:{label}:{run}")
    assert novel
    assert all("target:other-val" in tokens for tokens in novel)


def test_more_clips_than_a_screenful_wait_for_a_button(page: Any) -> None:
    more = page.find_element("css selector", ".more")
    assert not more.is_displayed()
    page.execute_script(
        """
        const clips = document.querySelector(".clips");
        for (let copy = 0; copy < 8; copy++) clips.append(clips.firstElementChild.cloneNode(true));
        const script = [...document.scripts].pop();
        const again = document.createElement("script");
        again.textContent = `{${script.textContent}}`;
        document.body.append(again);
        """
    )
    shown = "return document.querySelectorAll('.clip:not([hidden])').length"
    assert (page.execute_script(shown), more.text) == (12, "Show 8 more")
    more.click()
    assert page.execute_script(shown) == 20
    assert not more.is_displayed()


def test_the_map_is_coloured_by_choice_and_read_by_the_keyboard(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    colours = "return [...document.querySelectorAll('.plane circle')].map((dot) => getComputedStyle(dot).fill).join()"
    seen = []
    select = Select(page.find_element("css selector", ".map select"))
    for option in [option.get_attribute("value") for option in select.options]:
        select.select_by_value(option)
        seen.append(page.execute_script(colours))
        legends = [legend for legend in page.find_elements("css selector", ".legend") if legend.is_displayed()]
        assert [legend.get_attribute("data-for") for legend in legends] == [option]
        # A dot has the colour of its part in the legend.
        assert page.execute_script(
            """
            const parts = [...document.querySelectorAll(`.legend[data-for=${arguments[0]}] span`)];
            return parts.every((part) => {
              const dot = document.querySelector(`.plane circle.${part.className.trim().split(" ").join(".")}`);
              const key = getComputedStyle(part.querySelector("i"));
              return dot && [key.backgroundColor, key.borderTopColor].includes(getComputedStyle(dot).fill);
            });
            """,
            option,
        )
    assert len(set(seen)) > 1
    plane = page.find_element("css selector", ".plane")
    texts = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.END, Keys.HOME):
        plane.send_keys(key)
        texts.append(page.find_element("css selector", ".reading").text)
        assert plane.get_attribute("aria-valuetext") == texts[-1]
    assert texts[0] == texts[3]
    assert len(set(texts)) == 3
    assert len(page.find_elements("css selector", "circle.here")) == 1


def test_the_pointer_finds_the_nearest_dot(page: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    dots = WebDriverWait(page, 30).until(lambda shown: shown.find_elements("css selector", ".plane circle")[3:])
    dot = dots[0]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", dot)
    ActionChains(page).move_to_element(dot).perform()
    here = page.find_element("css selector", "circle.here")
    where = "const b = arguments[0].getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]"
    assert page.execute_script(where, here) == pytest.approx(page.execute_script(where, dot), abs=3)
    assert page.find_element("css selector", ".reading").text


def test_pieces_of_a_timeline_lie_inside_it_and_are_readable(page: Any) -> None:
    lanes = page.find_element("css selector", ".lanes")
    edges = page.execute_script(
        """
        const frame = arguments[0].getBoundingClientRect();
        return [...arguments[0].querySelectorAll(".lane:not(.thin, .ticks) span")].map((piece) => {
          const box = piece.getBoundingClientRect();
          return [box.left - frame.left, frame.right - box.right, box.width, piece.textContent, piece.title];
        });
        """,
        lanes,
    )
    assert edges
    for left, right, width, text, title in edges:
        assert min(left, right) >= -1
        assert width > 30
        assert text
        assert title.endswith(" s")


def test_light_and_dark_differ_and_the_words_can_be_read(page: Any) -> None:
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        pairs = page.execute_script(
            """
            return [...document.querySelectorAll(".lane:not(.thin, .ticks) span, select, .clip h3")].map((one) => {
              let ground = one;
              while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
              return [getComputedStyle(one).color, getComputedStyle(ground).backgroundColor];
            });
            """
        )
        assert pairs
        for colours in pairs:
            ink, ground = (sum(map(int, colour[4:-1].split(","))) / 3 for colour in colours)
            assert abs(ink - ground) > 110
