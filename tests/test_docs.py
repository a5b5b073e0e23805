"""The code on the pages of the documentation runs, page by page, and the pages hang together."""

import contextlib
import importlib.util
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


def module(name):
    """Return a module of the documentation, which is not a package."""
    spec = importlib.util.spec_from_file_location(Path(name).name, ROOT / "docs" / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


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


def test_links_of_the_readme_lead_to_files():
    """Links are absolute, so that they work on any site; those to this project name a page or a file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert all(link.startswith("https://") for link in links)
    pages = [m[1] for link in links if (m := re.search(r"readthedocs\.io/page/(.+)\.html$", link))]
    files = [m[1] for link in links if (m := re.search(r"/scpertbias/(?:blob/)?main/(.+)$", link))]
    assert len(pages) > 3
    assert len(files) > 3
    assert not [page for page in pages if not (ROOT / "docs" / f"{page}.md").exists()]
    assert not [file for file in files if not (ROOT / file).exists()]


def test_every_address_names_the_same_account():
    accounts = module("public_home").accounts()
    assert all(accounts.values())
    assert len(set().union(*accounts.values())) == 1


def test_markup_is_found_in_a_page():
    left = module("extensions/check_pages").left_markup
    assert left("<p>``a`` and <code>b</code></p><p>:func:`c`</p><pre>``d``</pre>") == ["``a`` and", ":func:`c`"]


def test_no_page_is_left_out_of_the_tree():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    trees = " ".join(re.findall(r"```\{toctree\}(.*?)```", index, re.S)).split()
    assert not [p.stem for p in PAGES[1:] if p.stem not in {*trees, "index"}]
