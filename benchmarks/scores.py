"""`tl.score` (every score, with ceilings, baselines and intervals) beside cell-eval on the scores that both have."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings

import numpy as np
import pandas as pd
from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, comparison, interleave
from ._screen import size_of

AT_LEAST, TOLERANCE = 1.0, 1e-5
SAME = {"mae": "mae", "pearson_delta": "pearson_delta"}
SKIPPED = (
    "clustering_agreement",
    "discrimination_score_cosine",
    "discrimination_score_l2",
    "mae_delta",
    "mse_delta",
    "pearson_edistance",
)
"""Metrics of cell-eval that need cells or that `tl.score` does not give."""


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    profiles = predict(adata)
    pair = spb.get.cell_eval(profiles, "noisy")
    times = interleave(lambda: ours(profiles), lambda: peer(*pair), pairs=pairs)
    gap = difference(ours(profiles), peer(*pair))
    work = "scores of a model (peer: cell-eval)"
    return [comparison(work, size_of(adata), times, at_least=AT_LEAST, difference=gap, tolerance=TOLERANCE)]


def predict(adata: AnnData) -> AnnData:
    """Profiles with the predictions of a model, the truth with noise; nine in ten perturbations are held out."""
    profiles = spb.pp.profiles(adata)
    spb.pp.split(profiles, fractions=(0.1, 0.0, 0.9))
    noise = np.random.default_rng(0).normal(0, 0.1, profiles.shape)
    table = pd.DataFrame(
        np.maximum(profiles.X + noise, 0.0),
        index=profiles.obs["perturbation"].astype(str),
        columns=profiles.var_names,
    )
    spb.tl.add_predictions(profiles, table, key_added="noisy")
    return profiles


def ours(profiles: AnnData) -> pd.DataFrame:
    spb.tl.score(profiles, "noisy", n_top_genes=profiles.n_vars)
    return spb.get.scores(profiles, split="test").set_index("perturbation")


def peer(real: AnnData, predicted: AnnData) -> pd.DataFrame:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # of other packages
        from cell_eval import MetricsEvaluator

        evaluator = MetricsEvaluator(
            predicted, real, pert_col="perturbation", control_pert="non-targeting", skip_de=True, outdir=folder
        )
        scored, _ = evaluator.compute(profile="anndata", write_csv=False, skip_metrics=list(SKIPPED))
    return pd.DataFrame(scored.to_dicts()).set_index("perturbation")


def difference(mine: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Largest difference between the scores that are defined alike, perturbation by perturbation."""
    theirs = theirs.loc[mine.index]
    return max(float(np.abs(mine[a] - theirs[b]).max()) for a, b in SAME.items())


if __name__ == "__main__":
    from ._table import main

    main([run])
