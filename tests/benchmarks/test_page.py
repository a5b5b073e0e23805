"""The benchmark of the page measures a page that answers."""

import shutil

import pytest
from benchmarks import page

from scpertbias._report import report


@pytest.mark.nightly
@pytest.mark.skipif(not any(map(shutil.which, page.CHROMIUM)), reason="no Chromium here")
def test_a_page_is_opened_and_measured(tmp_path):
    path = tmp_path / "page.html"
    report(page.large_audit(12, 60), path)
    measured = page.measure(path)
    assert 0.01 < measured["megabytes"] < page.MEGABYTES
    assert all(measured[key] > 0 for key in ("answers", "first", "opens"))
