"""The code on the pages of the documentation runs, page by page, and the pages hang together."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

import scpertbias as spb
from scpertbias._cli.main import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
TRAINS = ("gears", "scgpt")
"""Pages that train deep models or read published weights; the tests of these models run what they show."""


def blocks(page):
    return CODE.findall(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the pages read: a screen with the columns that they name."""
    folder = tmp_path_factory.mktemp("pages")
    adata = spb.ds.papalexi_2021()[::3].copy()
    adata.obs["batch"] = adata.obs["bio_rep"]
    control = adata.obs["perturbation"] == "non-targeting"
    escaped = np.random.default_rng(0).random(adata.n_obs) < 0.2
    adata.obs["mixscape_class_global"] = np.where(control, "NT", np.where(escaped, "NP", "KO"))
    adata.write_h5ad(folder / "screen.h5ad")
    with contextlib.chdir(folder):
        assert main(["audit", "screen.h5ad", "--batch", "batch", "--models", "mean", "--out", "audit", "--quiet"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:From 0.4 .update")  # mudata 0.3 announces it whenever a MuData is written
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p) and p.stem not in TRAINS], ids=lambda page: page.stem)
def test_code_on_a_page(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {}
    for block in blocks(page):
        exec(compile(block, str(page.name), "exec"), names)


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem in TRAINS], ids=lambda page: page.stem)
def test_code_that_trains_can_be_read(page):
    for block in blocks(page):
        compile(block, str(page.name), "exec")


def test_files_that_the_readme_names_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert len(links) > 5
    assert not [link for link in links if not (ROOT / link).exists()]


def test_no_page_is_left_out_of_the_tree():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    trees = " ".join(re.findall(r"```\{toctree\}(.*?)```", index, re.S)).split()
    assert not [p.stem for p in PAGES[1:] if p.stem not in {*trees, "index"}]
