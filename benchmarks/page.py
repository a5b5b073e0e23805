"""The page of a large audit in Chromium: its size, the time until it answers, and until one perturbation is open."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc

import scpertbias as spb
from scpertbias._report import report

MEGABYTES, ANSWER_S, OPEN_S = 15.0, 2.0, 0.2
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
OPEN = """name => { const start = performance.now(); location.hash = 'p=' + encodeURIComponent(name);
    return new Promise(done => { const look = () => document.querySelector('#explore-name').textContent === name
        ? (document.querySelector('#explore .body').offsetHeight, done(performance.now() - start)) : setTimeout(look, 1);
        look(); }); }"""


def large_audit(n_perturbations: int, n_genes: int) -> Any:
    """Audit a simulated screen with the eight default models and two brought ones, in four regimes."""
    sc.settings.verbosity = 0
    cells = spb.ds.simulate(25 * n_perturbations, n_genes, n_perturbations, keep_counts=False, rng=0)
    names = [name for name in cells.obs["perturbation"].unique() if name != "non-targeting"][::2]
    rng = np.random.default_rng(0)
    control = np.asarray(cells.X[(cells.obs["perturbation"] == "non-targeting").to_numpy()].mean(axis=0)).ravel()
    predictions = {
        f"brought_{i}": pd.DataFrame(control + rng.normal(0, 0.05, (len(names), n_genes)), names, cells.var_names)
        for i in (1, 2)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        brought = {name: {"predictions": table, "test": names} for name, table in predictions.items()}
        return spb.tl.audit(cells, min_cells=2, n_random=0, predictions=brought)


def measure(path: Path) -> dict[str, float]:
    """Open a page; return its megabytes and seconds until it is interactive, drawn, and one perturbation is open."""
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)))
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=executable, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")
        answered = time.perf_counter() - start
        names = page.evaluate("[...document.querySelectorAll('#table-perturbations tbody a')].map(a => a.textContent)")
        opened = [page.evaluate(OPEN, name) / 1000 for name in (names[0], names[-1], names[len(names) // 2])]
        browser.close()
    return {"megabytes": path.stat().st_size / 1e6, "answers": answered, "first": opened[0], "opens": max(opened[1:])}


def main() -> None:
    """Build the page, and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--perturbations", type=int, default=2_000)
    parser.add_argument("--genes", type=int, default=600)
    parser.add_argument("--out", type=Path, help="keep the page here")
    options = parser.parse_args()
    start = time.perf_counter()
    mdata = large_audit(options.perturbations, options.genes)
    audited = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = (options.out or Path(folder) / "page.html").absolute()
        start = time.perf_counter()
        report(mdata, path)
        written = time.perf_counter() - start
        n_models = spb.get.models(mdata, regime="full")["model"].nunique()
        measured = measure(path)
    print(
        f"{options.perturbations} perturbations x {n_models} models x {len(mdata.mod)} regimes: audit {audited:.0f} s"
    )
    print(f"page written in {written:.1f} s, {measured['megabytes']:.1f} MB (budget {MEGABYTES:g})")
    print(f"interactive after {measured['answers']:.2f} s (budget {ANSWER_S:g})")
    print(
        f"one perturbation open after {measured['opens']:.2f} s, the first after {measured['first']:.2f} s (budget {OPEN_S:g})"
    )


if __name__ == "__main__":
    main()
