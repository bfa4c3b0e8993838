"""A real browser for the tests of pages: Chromium without a window."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NEEDS_BROWSER = pytest.mark.skipif(not BROWSER or not DRIVER, reason="chromium and chromedriver are not installed")
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb",
)  # fmt: skip


@contextmanager
def open_browser(profile: Path) -> Iterator[Any]:
    """A browser that records its console and its requests."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(DRIVER)) as driver:
        yield driver


def open_page(browser: Any, file: Path) -> None:
    """Load a page at a desk's width; what was recorded before is forgotten."""
    browser.get_log("performance")
    browser.get_log("browser")
    browser.set_window_size(1200, 900)
    browser.get(file.as_uri())


def requests_beyond_the_page(browser: Any) -> list[str]:
    """Addresses that the loaded page asked for, without its own."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    # The browser's own first page may still be loading.
    asked = [one["request"]["url"] for one in sent if one["documentURL"] == browser.current_url]
    assert browser.current_url in asked
    return [url for url in asked if not url.startswith(("file://", "data:"))]


def overflow(browser: Any, width: int) -> int:
    """Pixels by which the loaded page is wider than a screen of that width."""
    # Chromium makes no window narrower than 500 pixels: the screen of a phone is emulated.
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.refresh()
        assert browser.execute_script("return window.innerWidth") == width
        return browser.execute_script(OVERFLOW)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
