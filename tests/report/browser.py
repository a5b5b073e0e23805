"""Chromium for the tests of the page, and pages that note what goes wrong in them."""

import os
import shutil
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
WIDTHS = (375, 768, 1440)


def executable():
    """Path of a Chromium; the test is skipped where there is none."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine; the README says how to get it")
    return path


def opened(browser, path, *, width=1440, at="", **options):
    """A page that is open, with what went wrong or was asked for on the way."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    page.wrong, page.asked = [], []
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(path.as_uri() + at)
    return page


def all_drawn(page):
    """Open what is folded and draw every figure, as for paper."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")


def until(page, condition):
    """Wait for what a script says; the page's policy allows no wait inside it."""
    end = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def state(page):
    """What the address holds after #."""
    return page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
