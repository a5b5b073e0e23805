import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt

from scpertbias._report._figures import FIGURES, figures, inline_svg


def test_figures_are_plain_inline_svg(audit):
    made = figures(audit)
    assert [f["name"] for f in made] == [name for name, _, _ in FIGURES]
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
        assert {"mean", "ridge"} <= {e.text for e in root.iter() if e.tag == "text"}, "text is not text"
    assert len(ids) == len(set(ids))
    assert not plt.get_fignums()


def test_figures_are_the_same_each_time(audit):
    assert figures(audit) == figures(audit)


def test_names_with_markup_stay_text():
    figure, ax = plt.subplots()
    ax.set_xlabel("<script>&")
    root = ElementTree.fromstring(inline_svg(figure, name="a_b", label="x"))
    assert "<script>&" in {e.text for e in root.iter() if e.tag == "text"}
