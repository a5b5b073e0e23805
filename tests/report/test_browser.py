"""The page in a real browser: Debian's ``chromium``, or any Chrome that is installed; skipped where there is none."""

import csv
import io
import os
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from scpertbias import _compat, _store
from scpertbias._report import report, to_json
from scpertbias._report.tables import read

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
WIDTHS = (375, 1440)
MOST_BYTES = 15e6
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine; the README says how to get it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        launched = p.chromium.launch(executable_path=found, args=FLAGS.split())
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def small_page(small_audit, tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "audit.html"
    report(small_audit, path)
    return path


@pytest.fixture(scope="module")
def large_audit(small_audit):
    """2,000 perturbations × 10 models: the tables of the small audit, repeated under other names with other numbers."""
    rng = np.random.default_rng(0)
    names = [f"GENE{i:04d}" for i in range(2_000)]
    models = [f"model_{i}" for i in range(1, 10)]
    tables = {}
    for name, table in read(small_audit).items():
        if table.empty:
            continue
        if "model" in table:
            one = table[table["model"] == "ridge"]
            same = table[table["model"].isin(("observed", "mean"))]
            table = pd.concat([same, *(one.assign(model=model) for model in models)], ignore_index=True)
        if "perturbation" in table and (table["perturbation"] != "").any():
            single = table[table["perturbation"] != ""]
            one = single[single["perturbation"] == single["perturbation"].iloc[0]]
            many = one.loc[one.index.repeat(len(names))].reset_index(drop=True)
            many["perturbation"] = names * len(one)
            for column in many.select_dtypes("float").columns:
                many[column] *= rng.lognormal(0, 0.3, len(many))
            table = pd.concat([table[table["perturbation"] == ""], many], ignore_index=True)
        tables[name] = table
    large = _compat.mudata({name: profiles.copy() for name, profiles in small_audit.mod.items()})
    _store.put(large, **{**_store.root(small_audit), **tables})
    return large


def opened(browser, path, *, width=1440, **options):
    """A page that is open, and what went wrong or was asked for on the way."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    page.wrong, page.asked = [], []
    page.on("console", lambda message: page.wrong.append(message.text))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(path.as_uri())
    return page


def rows_shown(page, n):
    from playwright.sync_api import expect

    expect(page.locator("#table-perturbations tbody tr:not([hidden])")).to_have_count(n)


def column(page, table, at):
    return page.evaluate(
        f"[...document.querySelectorAll('#table-{table} tbody tr:not([hidden])')].map(row => row.cells[{at}].dataset.v)"
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_is_seen_and_nothing_is_wrong(browser, small_page, width):
    page = opened(browser, small_page, width=width)
    assert page.wrong == []
    assert page.asked == [small_page.as_uri()], "something was loaded"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page itself scrolls to the side"
    figures = page.locator("figure svg")
    assert figures.count() == 8
    for i in range(figures.count()):
        figure = figures.nth(i)
        figure.scroll_into_view_if_needed()
        box = figure.bounding_box()
        assert figure.is_visible()
        assert 0 <= box["x"] < width
        assert box["width"] > 250
        assert box["height"] > 100
        assert figure.locator("text").first.is_visible()
        height = figure.evaluate(
            "svg => Math.max(...[...svg.querySelectorAll('text')].map(t => t.getBoundingClientRect().height))"
        )
        assert height > 8, "letters that cannot be read"
    page.close()


def test_tables_sort_by_mouse_and_keyboard(browser, small_page):
    page = opened(browser, small_page)
    cells = page.locator("#table-perturbations thead th", has_text="cells").locator("button")
    at = page.evaluate(
        "[...document.querySelectorAll('#table-perturbations thead th')].findIndex(h => h.innerText.includes('cells'))"
    )
    cells.click()
    largest = [float(v) for v in column(page, "perturbations", at)]
    assert largest == sorted(largest, reverse=True)
    assert len(set(largest)) > 1
    cells.press("Enter")
    assert [float(v) for v in column(page, "perturbations", at)] == largest[::-1]
    names = page.locator("#table-perturbations thead button").first
    names.focus()
    page.keyboard.press("Space")
    assert column(page, "perturbations", 0) == sorted(column(page, "perturbations", 0))
    heads = page.locator("#table-perturbations thead th[aria-sort]")
    assert heads.count() == 1
    assert heads.first.get_attribute("aria-sort") == "ascending"
    page.close()


def test_cells_without_a_value_stay_last(browser, small_page):
    page = opened(browser, small_page)
    heads = page.locator("#table-confounding thead th").all_inner_texts()
    at = next(i for i, text in enumerate(heads) if text.startswith("random genes"))
    for _ in range(2):
        page.locator("#table-confounding thead button").nth(at).click()
        values = column(page, "confounding", at)
        known = [v for v in values if v]
        assert 0 < len(known) < len(values)
        assert values[: len(known)] == known
    page.close()


def test_tables_are_searched(browser, small_page):
    page = opened(browser, small_page)
    tools = page.locator("#tools-table-perturbations")
    assert tools.locator("output").inner_text() == "12 rows"
    name = page.locator("#table-perturbations tbody th").nth(3).inner_text()
    others = page.locator("#table-perturbations tbody tr", has_text=name).count() - 1
    assert others == 0, "the name is in no other row"
    tools.locator("input").fill(name.lower())
    rows_shown(page, 1)
    assert name in page.locator("#table-perturbations tbody tr:visible th").all_inner_texts()
    assert "1 found in 12 rows" in tools.locator("output").inner_text()
    tools.locator("input").fill("no such thing")
    rows_shown(page, 0)
    tools.locator("input").fill("")
    rows_shown(page, 12)
    page.close()


def test_a_table_is_saved_with_all_digits(browser, small_page, small_audit):
    page = opened(browser, small_page)
    with page.expect_download() as saved:
        page.locator("#tools-table-summary .save").click()
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8"))))
    table = read(small_audit)["summary"]
    table = table[(table["subset"] == "all") & (table["regime"] == "full")].set_index(["model", "metric"])
    assert saved.value.suggested_filename == "summary.csv"
    assert len(rows) == page.locator("#table-summary tbody tr").count()
    for row in rows:
        expected = table.loc[(row["model"], row["score"]), "estimate"]
        assert row["estimate (95% CI)"] == ("" if pd.isna(expected) else repr(float(expected)))
    page.close()


def test_without_scripts_all_is_there(browser, small_page):
    page = opened(browser, small_page, java_script_enabled=False)
    assert page.locator("#table-perturbations tbody tr:visible").count() == 12
    assert page.locator(".tools:visible").count() == 0
    page.close()


def test_printing_opens_what_is_folded(browser, small_page):
    page = opened(browser, small_page)
    assert page.locator("details[open]").count() == 0
    assert len(page.pdf()) > 50_000
    assert page.locator("details").count() == page.locator("details[open]").count() > 0
    page.set_viewport_size({"width": 720, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    widths = page.evaluate(
        "[...document.querySelectorAll('table, figure svg')].map(e => e.getBoundingClientRect().right)"
    )
    assert max(widths) <= 720, "cut off at the edge of the paper"
    page.close()


def test_two_thousand_perturbations_and_ten_models(browser, large_audit, tmp_path):
    path = tmp_path / "audit.html"
    report(large_audit, path)
    assert path.stat().st_size < MOST_BYTES
    assert len(to_json(large_audit).encode()) < MOST_BYTES
    start = time.perf_counter()
    page = opened(browser, path)
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")
    assert time.perf_counter() - start < 15, "a second on a quiet machine"
    assert page.wrong == []
    tools = page.locator("#tools-table-perturbations")
    assert tools.locator("output").inner_text() == "first 200 of 2,000 rows"
    clicks = """[...document.querySelectorAll('#table-perturbations thead button')].map(button => {
        const start = performance.now(); button.click(); document.body.offsetHeight; return performance.now() - start; })"""
    assert max(page.evaluate(clicks)) < 2_000, "a tenth of a second on a quiet machine"
    tools.locator("input").fill("gene1999")
    rows_shown(page, 1)
    tools.locator("input").fill("")
    tools.locator(".more").click()
    rows_shown(page, 2000)
    page.close()
