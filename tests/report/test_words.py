"""The words of STYLE: no page has a banned phrase, and every sentence is short."""

import re
import warnings
from html.parser import HTMLParser

import pytest
from benchmarks import screens

import scpertbias as spb
from scpertbias._report.page import render

from .story import Story

BANNED = (
    *("cannot be told", "can be told", "told apart", "told from", "not told", "untold"),
    *("holds 0", "hold 0", "no more than chance", "so many", "in part", "none fully"),
    *("carries", "carry", "carried", "brought", "lie beside", "whatever is perturbed", "what became of"),
    *("beside", "the truth itself", "closer to the truth", "nothing is said", "is no ", "by itself", "owes"),
    *("held against", "turned round", "say nothing", "says nothing", "was found", "puts on top", "put them on top"),
    *("np.", "none of none", " nan", "[no interval]", "95 % ci"),
)
PATTERNS = {"exponent": r"\d\.?\d*e[-+]?\d", "percent": r"\d %", "bracket": r"\[[-−]?\d"}
CODE_NAMES = (
    "upr_isr",
    "heat_shock",
    "cell_cycle",
    "oxphos_nuclear",
    "l2_ratio",
    "l2_skill",
    "no_mt",
    "pearson_delta",
    "HALLMARK_",
)
MOST_WORDS, MOST_NUMBERS = 25, 2


class Prose(HTMLParser):
    """The prose of a page: paragraphs, items and captions, without code, tables and figures."""

    def __init__(self, page):
        super().__init__()
        self.texts, self._inside, self._silent = [], 0, 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._silent += tag in ("code", "script", "style", "svg", "table", "pre", "title", "dl")
        if tag in ("p", "li", "figcaption", "h1", "h2", "h3", "summary", "caption"):
            self._inside += 1
            self.texts.append("")

    def handle_endtag(self, tag):
        self._silent -= tag in ("code", "script", "style", "svg", "table", "pre", "title", "dl")
        self._inside -= tag in ("p", "li", "figcaption", "h1", "h2", "h3", "summary", "caption")

    def handle_data(self, data):
        if self._inside > 0 and not self._silent:
            self.texts[-1] += data.replace("\xa0", " ")


def planted(plant, **changes):
    """Audit a planted screen of the second generator."""
    size = {"n_genes": 120, "n_perturbations": 14, "cells_per_perturbation": 30, "n_control": 150, "truth_cells": 16}
    adata = screens.normalize(screens.draw(1, plant=plant, **size, **changes))
    adata.obs["total_counts"] = adata.obs["total"]
    return spb.tl.audit(adata, models=("mean", "ridge", "bilinear"), regimes=("full",), n_random=0)


AUDITS = {
    "simulated": lambda: spb.tl.audit(spb.ds.simulate(4_000, 300, 30, keep_counts=False, rng=1), n_random=2),
    "papalexi": lambda: spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], n_random=2),
    "axis": lambda: planted("axis"),
    "sets": lambda: planted("sets"),
    "batch": lambda: planted("batch_only"),
    "depth": lambda: planted("depth_only"),
    "null": lambda: planted("none"),
}


@pytest.fixture(scope="module", params=AUDITS)
def audited(request):
    """The audits of both demos and of five planted screens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return AUDITS[request.param]()


@pytest.mark.slow
def test_no_banned_phrase_on_a_page(audited):
    texts = Prose(render(audited)).texts
    assert len(texts) > 40
    for text in texts:
        low = f" {' '.join(text.lower().split())} "
        assert [phrase for phrase in BANNED if phrase in low] == [], text
        assert [name for name, pattern in PATTERNS.items() if re.search(pattern, text)] == [], text


def without_parentheses(text):
    """The text without what stands in parentheses, where numbers and names may be many."""
    while re.search(r"\([^()]*\)", text):
        text = re.sub(r"\s*\([^()]*\)", "", text)
    return text


@pytest.mark.slow
def test_sentences_are_short_and_without_code_names(audited):
    for text in Story(audited).texts:
        assert [name for name in CODE_NAMES if re.search(rf"(?<!\w){name}(?!\w)", text)] == [], text
        lead, _, names = without_parentheses(text).partition(": ")
        for sentence in re.split(r"(?<=[.;:])\s", without_parentheses(text)):
            words = [w for w in sentence.split() if w.strip(".,;:") not in ("and",)]
            numbers = re.findall(r"(?<![\w.])[-−]?\d[\d.,]*%?(?![\w])", sentence)
            assert len(words) <= MOST_WORDS, sentence
            assert len(numbers) <= MOST_NUMBERS, sentence
        assert lead or names


def test_the_patterns_find_what_they_ban():
    for bad in ("57 % [49, 64]", "1e-08"):
        assert any(re.search(pattern, bad) for pattern in PATTERNS.values())
    assert not any(re.search(pattern, "57% (95% CI 49–64), p < 0.001, E2F5") for pattern in PATTERNS.values())
    assert without_parentheses("a (b (c) d) e") == "a e"
