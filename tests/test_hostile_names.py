"""Perturbations, genes, sets and models with markup, formulas and separators in their names, from cells to the report."""

import io
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat
from scpertbias._report import to_json
from scpertbias._report.tables import write_tables

EVIL = (
    "<script>alert(1)</script>",
    "A&B \"q\" 'x'",
    r"$\frac{$",
    r"a$b_c^d$e",
    "</svg><img src=x onerror=alert(1)>",
    "% {x} {{y}} {% z %}",
    "@SUM(1)",
    "-->",
)


class Tags(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text.append(data)


def strings(value):
    """Every text in nested lists and dicts."""
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(part)


def audited(names: tuple[str, ...]):
    adata = spb.ds.simulate(1_200, 120, len(EVIL), rng=1, keep_counts=False)
    targets = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    new = dict(zip(targets, names, strict=True))
    adata.obs["perturbation"] = [new.get(label, label) for label in adata.obs["perturbation"]]
    genes = list(adata.var_names)
    for i, name in enumerate(names):
        genes[genes.index(targets[i]) if targets[i] in genes else 20 + i] = name
    adata.var_names = genes
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(names[: len(names) // 2]), "test", "train")
    sets = pd.DataFrame({"source": names[0], "target": genes[:30]})
    profiles = spb.pp.profiles(adata)
    spb.tl.fit_ridge(profiles)
    table = profiles.to_df().set_axis(profiles.obs["perturbation"].astype(str), axis=0)
    mdata = spb.tl.audit(
        adata,
        sets=sets,
        models=("mean", "ridge", "bilinear"),
        predictions={names[2]: table + 0.01},
        regimes=("full", "no_mt"),
        covariates=(),
        n_random=0,
    )
    return adata, mdata


@pytest.fixture(scope="module")
def evil():
    return audited(EVIL)


def test_figures_draw_them_as_they_are(evil):
    adata, mdata = evil
    spb.tl.enrich(mdata["full"], pd.DataFrame({"source": EVIL[0], "target": adata.var_names[:60]}), tmin=1, k=10)
    drawn = 0
    for name in sorted(set(spb.pl.__all__) - {"calibration", "metric"}):  # of functions that were not run
        data = mdata["full"] if name == "enrich" else mdata
        arguments = {"perturbation": EVIL[3]} if name in ("perturbation", "top_genes") else {}
        figure = getattr(spb.pl, name)(data, return_fig=True, **arguments)
        file = io.StringIO()
        with plt.rc_context({"svg.fonttype": "none"}):
            figure.savefig(file, format="svg")
        root = ElementTree.fromstring(file.getvalue())
        assert not [e for e in root.iter() if e.tag.endswith(("script", "img"))]
        drawn += any(text in {(e.text or "").strip() for e in root.iter()} for text in EVIL)
        plt.close(figure)
    assert drawn >= 4  # names reach the figures


def test_the_page_holds_no_markup_of_theirs(evil, tmp_path):
    spb.report(evil[1], tmp_path / "evil.html", title=EVIL[0] + EVIL[4])
    spb.report(audited(tuple(f"plain{i}" for i in range(len(EVIL))))[1], tmp_path / "plain.html")
    found, plain = (Tags((tmp_path / name).read_text(encoding="utf-8")) for name in ("evil.html", "plain.html"))
    for tag in ("script", "img", "iframe", "link", "object", "svg"):
        assert found.tags.count(tag) == plain.tags.count(tag), tag
    assert sorted(found.handlers) == sorted(plain.handlers)
    assert EVIL[0] in "".join(found.text)


def test_json_tables_and_file_hold_them_exactly(evil, tmp_path):
    _, mdata = evil
    assert set(EVIL) <= set(strings(json.loads(to_json(mdata))))
    write_tables(mdata, tmp_path / "tables")
    read = pd.read_csv(tmp_path / "tables" / "perturbations.csv", keep_default_na=False)
    assert set(read["perturbation"]) == set(EVIL)
    _compat.write_h5mu(mdata, str(tmp_path / "x.h5mu"))
    again = _compat.read_h5mu(str(tmp_path / "x.h5mu"))
    pd.testing.assert_frame_equal(spb.get.perturbations(again), spb.get.perturbations(mdata))
    pd.testing.assert_frame_equal(spb.get.predictions(again, EVIL[2]), spb.get.predictions(mdata, EVIL[2]))
