"""The page of a comparison in a real browser."""

import csv
import gzip
from pathlib import Path

import pytest

from scpertbias._report import compare

from .browser import all_drawn, opened, state, until

pytestmark = pytest.mark.slow
AXE = Path(__file__).parent / "axe" / "axe.min.js.gz"


@pytest.fixture(scope="module")
def compared_page(small_audit, other_models_audit, tmp_path_factory):
    path = tmp_path_factory.mktemp("compared") / "compare.html"
    compare([small_audit, other_models_audit], path, names=["first", "second"])
    return path


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_nothing_goes_wrong(browser, compared_page, width, scheme):
    page = opened(browser, compared_page, width=width, color_scheme=scheme)
    all_drawn(page)
    until(page, "document.querySelectorAll('svg.chart').length === 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map((t) => parseFloat(getComputedStyle(t).fontSize))"
    )
    assert min(sizes) >= 11
    assert page.wrong == []
    assert page.asked == [compared_page.as_uri()]


def test_axe_finds_nothing_serious(browser, compared_page):
    page = opened(browser, compared_page, bypass_csp=True)
    all_drawn(page)
    page.evaluate(gzip.decompress(AXE.read_bytes()).decode("utf-8"))
    violations = page.evaluate("axe.run().then((found) => found.violations)")
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []


def test_the_reference_is_chosen_and_kept_in_the_address(browser, compared_page):
    page = opened(browser, compared_page)
    all_drawn(page)
    first = page.text_content("#figure-pairs svg")
    page.select_option("#figure-pairs select", "ridge · first")
    until(page, "location.hash.includes('pairs')")
    assert state(page)["f.pairs.reference"] == "ridge · first"
    assert page.text_content("#figure-pairs svg") != first
    again = opened(browser, compared_page, at=page.evaluate("location.hash"))
    all_drawn(again)
    assert again.text_content("#figure-pairs svg") == page.text_content("#figure-pairs svg")


def test_figures_are_saved(browser, compared_page, tmp_path):
    page = opened(browser, compared_page, accept_downloads=True)
    all_drawn(page)
    page.click("#figure-forest .menu summary")
    with page.expect_download() as download:
        page.click("#figure-forest .menu button:has-text('TSV')")
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t"))
    assert {"group", "audit", "estimate", "ci_low", "ci_high"} <= set(rows[0])
    assert {row["audit"] for row in rows} == {"all", "second"}
