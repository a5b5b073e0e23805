"""The page in a real browser: first screen, widths, tables, paper, dark and accessibility."""

import csv
import gzip
import io
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat, _store
from scpertbias._report import page as page_module
from scpertbias._report import report, to_json
from scpertbias._report.tables import read
from scpertbias.tl._effects import Effects

from .browser import WIDTHS, all_drawn, opened, state

MOST_BYTES, N_LARGE = 15e6, 700
AXE = Path(__file__).parent / "axe" / "axe.min.js.gz"
CLIPPED = """() => [...document.querySelectorAll('h1,h2,h3,h4,p,li,dt,dd,button,summary,.badge,.tile,.chart')]
    .filter(e => e.offsetParent !== null && !e.closest('.box,nav,#proposals') && e.scrollWidth > e.clientWidth + 1
        && getComputedStyle(e).display !== 'inline').map(e => e.outerHTML.slice(0, 120))"""
OUTSIDE = """() => [...document.querySelectorAll('svg.chart text')].filter(t => { const a = t.getBoundingClientRect(),
    b = t.ownerSVGElement.getBoundingClientRect(); return a.left < b.left - 2 || a.right > b.right + 2 || a.top < b.top - 2; })
    .map(t => t.ownerSVGElement.getAttribute('aria-label') + ': ' + t.textContent)"""
SMALL = """() => { const found = [];
    for (const e of document.querySelectorAll('body *')) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || e.closest('script,style') || !e.getClientRects().length) continue;
        const size = parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement ? e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width : 1);
        if (size < 10.95) found.push(size + ' ' + e.textContent.slice(0, 40)); }
    return found; }"""
pytestmark = pytest.mark.slow


def rows_shown(page, n):
    from playwright.sync_api import expect

    expect(page.locator("#table-perturbations tbody tr:not([hidden])")).to_have_count(n)


def column(page, table, at):
    return page.evaluate(
        f"[...document.querySelectorAll('#table-{table} tbody tr:not([hidden])')].map(row => row.cells[{at}].dataset.v)"
    )


def natural(name):
    """Numbers in names count as numbers."""
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", name)]


def heading(page, table, text):
    """The place of a column, and its button."""
    labels = page.evaluate(
        f"[...document.querySelectorAll('#table-{table} thead button')].map(b => b.firstChild.textContent)"
    )
    at = labels.index(text)
    return at, page.locator(f"#table-{table} thead button").nth(at)


def test_strip_and_hero_lie_on_the_first_screen(browser, audit_page):
    page = opened(browser, audit_page)
    assert page.locator(".strip .tile").count() == 5
    for selector in (".strip", "#figure-map svg"):
        box = page.locator(selector).bounding_box()
        assert 0 <= box["y"] < box["y"] + box["height"] <= 900, selector
    text = page.locator(".strip").inner_text()
    sentences = re.split(r"(?<=[.?:])\s", re.sub(r"\s+", " ", text))
    assert max(len(sentence.split()) for sentence in sentences) <= 25
    words = page.evaluate(
        "[...document.querySelectorAll('#answer :is(h1,h2,h4,p,figcaption)')].map(e => e.innerText).join(' ')"
    ).split()
    assert 60 < len(words) < 150
    assert len([word for word in words if re.search(r"\d", word)]) < 30
    page.locator("#tile-models .word a").click()
    assert page.locator("#scores h2").evaluate("h => Math.abs(h.getBoundingClientRect().top) < 200")
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_clipped_small_or_wrong(browser, audit_page, width):
    page = opened(browser, audit_page, width=width)
    all_drawn(page)
    assert page.wrong == []
    assert page.asked == [audit_page.as_uri()], "something was loaded"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page itself scrolls to the side"
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(SMALL) == []
    page.evaluate("scrollTo(0, 3000)")
    assert page.locator("header.bar").bounding_box()["y"] == 0, "the navigation stays"
    page.close()


def test_tables_sort_by_mouse_and_keyboard(browser, audit_page):
    page = opened(browser, audit_page)
    at, cells = heading(page, "perturbations", "cells")
    cells.click()
    largest = [float(v) for v in column(page, "perturbations", at)]
    assert largest == sorted(largest, reverse=True)
    assert len(set(largest)) > 1
    cells.press("Enter")
    assert [float(v) for v in column(page, "perturbations", at)] == largest[::-1]
    heading(page, "perturbations", "perturbation")[1].focus()
    page.keyboard.press("Space")
    names = column(page, "perturbations", 0)
    assert names == sorted(names, key=natural)
    assert page.locator("#table-perturbations thead th[aria-sort]").count() == 1
    page.close()


def test_shift_sorts_by_several_columns(browser, audit_page):
    page = opened(browser, audit_page)
    kind, first = heading(page, "perturbations", "category")
    cells, second = heading(page, "perturbations", "cells")
    first.click()
    second.click(modifiers=["Shift"])
    rows = list(zip(column(page, "perturbations", kind), map(float, column(page, "perturbations", cells)), strict=True))
    assert rows == sorted(rows, key=lambda row: (row[0], -row[1]))
    assert len({row[0] for row in rows}) > 1
    assert state(page)["s.perturbations"] == f"{kind}a,{cells}d"
    page.close()


def test_cells_without_a_value_stay_last(browser, audit_page):
    page = opened(browser, audit_page)
    at, button = heading(page, "confounding", "random genes")
    for _ in range(2):
        button.click()
        values = column(page, "confounding", at)
        known = [v for v in values if v]
        assert 0 < len(known) < len(values)
        assert values[: len(known)] == known
    page.close()


def test_columns_are_chosen(browser, audit_page):
    page = opened(browser, audit_page)
    at, button = (
        heading(page, "perturbations", "target q")
        if page.locator("#table-perturbations th[data-extra]").count()
        else (0, None)
    )
    assert not button.is_visible(), "hidden at first"
    tools = page.locator("#tools-table-perturbations")
    tools.locator("summary").click()
    tools.get_by_label("target q").check()
    assert button.is_visible()
    assert str(at) not in state(page)["h.perturbations"].split(",")
    page.reload()
    assert page.locator("#table-perturbations thead button").nth(at).is_visible()
    page.close()


def test_a_table_is_saved_with_all_digits(browser, audit_page, page_audit):
    page = opened(browser, audit_page)
    with page.expect_download() as download:
        page.locator("#tools-table-summary .save").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    table = read(page_audit)["summary"]
    table = table[(table["subset"] == "all") & (table["regime"] == "full")].set_index(["model", "metric"])
    assert download.value.suggested_filename == "summary.csv"
    assert len(rows) == page.locator("#table-summary tbody tr").count()
    for row in rows:
        expected = table.loc[(row["model"].split(", ")[0], row["score"]), "estimate"]
        assert row["estimate (95% CI)"] == ("" if pd.isna(expected) else repr(float(expected)))
    page.close()


def test_terms_are_explained_on_focus_and_touch(browser, audit_page):
    page = opened(browser, audit_page, has_touch=True)
    term = page.locator("#scores .term").first
    term.focus()
    assert page.locator("#tooltip").is_visible()
    assert len(page.locator("#tooltip").inner_text()) > 20
    page.keyboard.press("Escape")
    assert not page.locator("#tooltip").is_visible()
    page.locator("#screen .term").first.tap()
    assert "cosine" in page.locator("#tooltip").inner_text()
    assert page.locator("[title]").count() == 0
    page.close()


def test_without_scripts_all_tables_are_there(browser, audit_page):
    page = opened(browser, audit_page, java_script_enabled=False)
    assert page.locator("#table-perturbations tbody tr:visible").count() == 30
    assert page.locator(".find:visible").count() == 0
    assert page.locator(".strip .tile:visible").count() == 5
    assert "need JavaScript" in page.locator("noscript").inner_text()
    page.close()


def test_printing_opens_what_is_folded(browser, audit_page):
    page = opened(browser, audit_page)
    assert page.locator("details[open]").count() == 0
    assert len(page.pdf()) > 50_000
    folded = page.locator("details:not(.menu)")
    assert folded.count() == page.locator("details:not(.menu)[open]").count() > 0
    assert page.locator(".drawing svg").count() == page.locator("figure").count(), "all figures are on paper"
    page.set_viewport_size({"width": 720, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    widths = page.evaluate(
        "[...document.querySelectorAll('table, figure svg')].map(e => e.getBoundingClientRect().right)"
    )
    assert max(widths) <= 720, "cut off at the edge of the paper"
    assert not page.locator("header.bar").is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, audit_page, scheme):
    page = opened(browser, audit_page, color_scheme=scheme, bypass_csp=True)
    red, green, blue = map(
        int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
    )
    assert (red + green + blue < 150) == (scheme == "dark")
    all_drawn(page)
    page.add_script_tag(content=gzip.decompress(AXE.read_bytes()).decode())
    for name in ("", "#explore"):
        if name:
            page.locator("#table-perturbations tbody a").first.click()
        # In the dark only colors differ.
        options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
        rules = page.evaluate(
            "([root, options]) => axe.run(root || document, options).then(r => r.violations)", [name, options]
        )
        serious = {rule["id"]: rule["nodes"][0]["html"] for rule in rules if rule["impact"] in ("serious", "critical")}
        assert serious == {}
    page.close()


def test_methods_and_citation_are_copied(browser, audit_page):
    page = opened(browser, audit_page, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy methods paragraph").click()
    page.locator("#said.now").wait_for()
    assert "30 perturbations" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy citation").click()
    page.get_by_text("Citation copied").wait_for()
    assert f"Version {spb.__version__}" in page.evaluate("navigator.clipboard.readText()")
    page.close()


@pytest.fixture(scope="module")
def large_audit(small_audit):
    """Many perturbations × 10 models: the tables of the small audit, repeated under other names with other numbers."""
    rng = np.random.default_rng(0)
    names = [f"GENE{i:04d}" for i in range(N_LARGE)]
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
            for column in many.select_dtypes("float").columns.drop("target", errors="ignore"):
                many[column] *= rng.lognormal(0, 0.3, len(many))
            table = pd.concat([table[table["perturbation"] == ""], many], ignore_index=True)
        tables[name] = table
    large = _compat.mudata({name: profiles.copy() for name, profiles in small_audit.mod.items()})
    _store.put(large, **{**_store.root(small_audit), **tables})
    return large


@pytest.fixture
def large_effects(monkeypatch):
    """Effects of as many perturbations, and predictions of as many models."""
    rng = np.random.default_rng(0)
    shape = (N_LARGE, 400)
    observed = rng.normal(0, 0.3, shape)
    predicted = {
        model: observed + rng.normal(0, 0.3, shape) for model in ["mean", *(f"model_{i}" for i in range(1, 10))]
    }
    names, symbols = tuple(f"GENE{i:04d}" for i in range(shape[0])), np.array([f"S{i}" for i in range(shape[1])])
    made = Effects(
        names, symbols, observed, np.full(shape, 0.1), observed / 0.1, np.ones(shape[1]), predicted,
        np.full(shape[1], "other"), np.sum(observed**2, axis=1), 0.1,
    )  # fmt: skip
    monkeypatch.setattr(page_module, "effects", lambda _adata: made)


@pytest.mark.usefixtures("large_effects")
def test_many_perturbations_and_ten_models(browser, large_audit, tmp_path):
    path = tmp_path / "audit.html"
    report(large_audit, path)
    assert path.stat().st_size < MOST_BYTES * N_LARGE / 2_000
    explored = path.read_text(encoding="utf-8").split('"explore":')[1].split('"models":["')[0]
    assert len(explored.encode()) < 3e6 * N_LARGE / 2_000
    assert len(to_json(large_audit).encode()) < 20e6 * N_LARGE / 2_000
    start = time.perf_counter()
    page = opened(browser, path)
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")
    assert time.perf_counter() - start < 15, "a second or two on a quiet machine"
    assert page.wrong == []
    tools = page.locator("#tools-table-perturbations")
    assert tools.locator("output").inner_text() == "first 200 of 700 rows"
    clicks = """[...document.querySelectorAll('#table-perturbations thead button')].map(button => {
        const start = performance.now(); button.click(); document.body.offsetHeight; return performance.now() - start; })"""
    assert max(page.evaluate(clicks)) < 2_000, "a tenth of a second on a quiet machine"
    spent = page.evaluate(
        "() => { const start = performance.now(); document.querySelector('#table-perturbations tbody a').click();"
        "document.body.offsetHeight; return performance.now() - start; }"
    )
    assert spent < 2_000, "a tenth of a second on a quiet machine"
    assert page.locator("#explore article svg").count() == 10
    page.keyboard.press("Escape")
    page.locator("#search").fill("gene0699")
    rows_shown(page, 1)
    page.locator("#search").fill("")
    tools.locator(".more").click()
    rows_shown(page, N_LARGE)
    page.close()
