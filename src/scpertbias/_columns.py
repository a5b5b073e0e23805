"""Roles of columns of ``obs`` and ``var`` by their names and levels: batches, cell lines, times, doses, guides."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ._core.arrays import IntArray

MIN_CONTROLS = 10
UNTESTED = 0.2
"""A column cannot be used as a batch if more than this share of perturbed cells is in levels with too few controls."""

SYMBOL_COLUMNS = (
    *("gene_symbols", "gene_symbol", "gene_name", "gene_names", "feature_name", "symbol", "symbols", "Symbol"),
    *("SYMBOL", "hgnc_symbol", "gene_short_name", "gene", "Gene", "genes", "name"),
)
BATCH, CONTEXT, TIME, DOSE, GUIDE, LABEL, COVARIATE, DEPTH, OUTCOME, SPLIT, OTHER = (
    *("batch", "context", "time", "dose", "guide", "label", "covariate", "depth", "outcome", "split", ""),
)
# The first pattern that a name matches, in any case, without punctuation.
_ROLES = (
    (SPLIT, "split|fold|traintest"),
    (GUIDE, "(best|top|assigned|single)?(guide|sgrna|grna)s?(id|identity|name|call|calls|assignment|target)?s?|sgid(ab|a|b)?|featurecalls?|protospacers?(id|call)?"),
    (LABEL, "perturbations?(name|label|id|target)?|(target)?genes?(target|name|symbol|id)?|targets?(gene|id|name)?(id|name)?|genetarget|guidetarget|knockout|knockdown|ko|mixscapeclass|treatments?(name|id)?|conditions?|drugs?(name)?|compounds?(name)?|productname|cytokine|perturbagen|perturbed|crispr|label|orf|tf"),
    (OUTCOME, "leiden.*|louvain.*|.*clusters?(id)?|seurat.*|phase|.*doublet.*|mixscapeclass(global|pngd)?"),
    (CONTEXT, "cell(line|type|ontology)s?(id|name|label|termid)?|tissue(type)?|organism|species|cancer(type)?|disease(state)?"),
    (TIME, "(time|timepoint|timepoints|day|days|hour|hours|age|stage|passage|harvest)(h|hr|id)?|dpi"),
    (DOSE, "dose(s|value|val|um|nm|unit)?|conc(entration)?(s|um|nm|value)?|moi"),
    (BATCH, "batch(es|id|num|number|key)?|gem(group)?s?|gemgroup|(bio|tech|biological|technical)?rep(licate|licates|s)?(id)?|donors?(id)?|patients?(id)?|individual|mouse(id)?|subject(id)?|lanes?|plates?(id)?|library(id)?|libraries|sample(s|id|name)?|origident|pools?(id)?|chips?|channels?|dataset(s|id|name)?|experiments?(id)?|sequencingrun|study(id)?|well(s|id)?|flowcell|stimulation|stim|screen|sublibrary|hash(tag|id)?|htoid"),
    (DEPTH, "totalcounts|ncounts|numis|ncountrna|umicount|umis|nfeaturerna|ngenes(bycounts)?|ngene|log1p.*"),
    (COVARIATE, "(pct|percent|p|perc|frac|fraction|prop)(counts?|umis?|reads?)?(in|of)?(mt|mito|mitochondrial|ribo|ribosomal|rp|rb|hb)(rna|genes)?|(mt|mito|ribo)(frac|fraction|ratio|percent|pct)|sscore|g2mscore|.*score"),
)  # fmt: skip
_COMPILED = tuple((role, re.compile(pattern)) for role, pattern in _ROLES)
WORDS = {
    BATCH: "a batch",
    CONTEXT: "a cell line, cell type or tissue",
    TIME: "a time point",
    DOSE: "a dose",
    LABEL: "a treatment or condition",
}
"""Descriptions of columns that can have several levels among the control cells."""


@dataclass(frozen=True)
class LevelCounts:
    """A column's levels: how many, how many hold enough controls, and the share of perturbed cells that these leave out."""

    n: int
    n_tested: int
    untested: float
    of_labels: bool

    @property
    def usable(self) -> bool:
        """Whether cells can be compared with controls of their own level."""
        return self.n_tested >= 2 and self.untested <= UNTESTED and not self.of_labels


def role(name: str) -> str:
    """Return what a column is by its name alone."""
    bare = re.sub(r"[\W_]", "", str(name).casefold())
    return next((role for role, pattern in _COMPILED if pattern.fullmatch(bare)), OTHER)


def levels(values: pd.Series, codes: IntArray) -> LevelCounts:
    """Compare a column with the labels of the same cells (0: the control, −1: none)."""
    known = values.notna().to_numpy() & (codes >= 0)
    level, names = pd.factorize(values[known])
    code = codes[known]
    if not len(names):
        return LevelCounts(0, 0, 1.0, of_labels=False)
    controls = np.bincount(level[code == 0], minlength=len(names))
    perturbed = np.bincount(level[code > 0], minlength=len(names))
    enough = controls >= MIN_CONTROLS
    pairs = np.unique(np.stack([level, code]), axis=1)
    # Every perturbation in one level, and no level without a perturbation of its own: the column repeats the labels.
    of_labels = len(names) > 2 and pairs.shape[1] <= max(len(names), len(np.unique(code)))
    return LevelCounts(
        n=len(names),
        n_tested=int(enough.sum()),
        untested=float(perturbed[~enough].sum() / max(perturbed.sum(), 1)),
        of_labels=of_labels,
    )


def likely_batches(obs: pd.DataFrame, codes: IntArray, labels: str) -> dict[str, str]:
    """Return the columns that look like batches, cell lines, times or doses and can be used as such, with what they are.

    ``labels`` names the column of the perturbations, which is never one of them.
    """
    out = {}
    for name in map(str, obs.columns):
        kind = role(name)
        if kind in WORDS and name != labels:
            n = obs[name].nunique()
            if 1 < n <= max(2, len(obs) // 20) and levels(obs[name], codes).usable:
                out[name] = kind
    return out


def one_level_batches(obs: pd.DataFrame, codes: IntArray, labels: str) -> list[str]:
    """Return the columns that look like batches, but have one level in the used cells."""
    used = obs[codes >= 0]
    names = [str(name) for name in obs.columns if str(name) != labels and role(str(name)) == BATCH]
    return [name for name in names if used[name].nunique() == 1]


def say_likely(columns: dict[str, str]) -> str:
    """Return the names of columns with their likely roles."""
    return ", ".join(f"obs[{name!r}] ({WORDS[kind]})" for name, kind in columns.items())
