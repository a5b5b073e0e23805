import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from scpertbias._report.figures import FIGURES, MOST_DOTS, figures, inline_svg

from scpertbias import _store, pl
from scpertbias._report.tables import read


def test_figures_are_plain_inline_svg(audit):
    by_section = figures(audit, read(audit))
    made = [figure for some in by_section.values() for figure in some]
    # One model alone has attributions: no pair of them to draw.
    assert [f["name"] for f in made] == [f.name for f in FIGURES if f.name != "attribution"]
    assert [f["name"] for f in by_section["scores"]] == ["l2", "l2_ratio", "pearson_delta_perturbed"]
    ids = []
    for figure in made:
        svg = figure["svg"]
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == figure["label"]
        assert "http" not in svg
        assert "<style" not in svg
        own = [e.get("id") for e in root.iter() if e.get("id")]
        used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
        assert {a or b for a, b in used} <= set(own)
        assert used
        ids += own
        assert [e.text for e in root.iter() if e.tag == "text"], "text is not text"
    assert len(ids) == len(set(ids))
    assert not plt.get_fignums()


def test_figures_are_the_same_each_time(audit):
    assert figures(audit, read(audit)) == figures(audit, read(audit))


def test_the_caption_of_specificity_names_what_is_drawn(small_audit):
    (reading,) = (f.reading for f in FIGURES if f.name == "specificity")
    ax = pl.specificity(small_audit, show=False)
    plt.close(ax.figure)
    assert ax.get_ylabel().startswith("specific skill")
    assert "At 0" in reading
    assert "1 is the noise ceiling" in reading


def test_names_with_markup_stay_text():
    figure, ax = plt.subplots()
    ax.set_xlabel("<script>&")
    root = ElementTree.fromstring(inline_svg(figure, name="a_b", label="x"))
    assert "<script>&" in {e.text for e in root.iter() if e.tag == "text"}


def test_raster_parts_are_inline():
    figure, ax = plt.subplots()
    ax.imshow([[0, 1], [1, 0]])
    root = ElementTree.fromstring(inline_svg(figure, name="a", label="x"))
    plt.close(figure)
    assert [e.get("href")[:10] for e in root.iter() if e.tag == "image"] == ["data:image"]


def test_models_counted_on_other_perturbations_say_how_many(audit):
    table = read(audit)["recurrence"]
    of_ridge = table[(table["model"] == "ridge") & (table["regime"] == "full")]
    alone = of_ridge.assign(model="few", n_perturbations=3, count=2, n_effective_genes=2.0)
    _store.put(audit, recurrence=pd.concat([table, alone], ignore_index=True))
    svg = next(f["svg"] for f in figures(audit, read(audit))["recurrence"])
    assert ">observed<" in svg
    assert ">mean<" not in svg, "a constant has no effect beyond the mean of the perturbed"
    assert ">few<" in svg
    assert ">n = 3<" in svg


@pytest.mark.parametrize(("n", "picture"), [(MOST_DOTS, False), (MOST_DOTS + 1, True)])
def test_very_many_dots_are_one_picture(n, picture):
    figure, ax = plt.subplots()
    ax.scatter(range(n), range(n))
    svg = inline_svg(figure, name="x", label="x")
    assert ("data:image/png;base64" in svg) == picture
    assert (svg.count("<use") > n) != picture
