"""How often genes are called where nothing changes, and what calls have in common with scanpy's: ``python -m benchmarks.de``.

Null groups: perturbations of simulated screens without effects, and control cells of the bundled screen that are given
labels at random. The table gives the mean number of calls (q < 0.05 within a group) and the share of groups with any call, by
``spb.get.de`` (guarded) and by Welch's test (scanpy's ``t-test``), each with its Monte-Carlo standard error over screens.
Scores of the known truth: on simulated screens with effects (cells per perturbation / control cells), the scores of the true
effects, their ceiling, and the mean and the error of the ceilings; and the scores of the mean of the other perturbations.
Agreement: Jaccard index, over all perturbations of the bundled screen, of the calls of ``spb.get.de`` and of Welch's test with
those of Wilcoxon's test (scanpy's, corrected for ties), without own targets.
"""

import argparse
import logging
import warnings

import numpy as np
import pandas as pd
import scanpy as sc
from scipy import stats

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.de import DE_SCORES

from . import screens

SIZES = (20, 50, 200)
DEPTHS = ((50, 500), (100, 1_000), (300, 2_000))
GROUPS = {20: 40, 50: 20, 200: 5}
"""Null groups of one dealing of the control cells of the bundled screen, by size."""
KEY, CONTROL = "perturbation", "non-targeting"
SIMULATED = {"one batch": {"shape": "one_batch"}, "nested batches": {"shape": "nested"}}


def simulated(seed, n_cells, shape, n_groups=40):
    """Return profiles of a screen without effects."""
    changes = {"n_genes": 1_000, "n_perturbations": n_groups, "cells_per_perturbation": n_cells, "n_control": 1_500}
    adata = screens.normalize(screens.draw(40_000 + seed, shape=shape, truth_cells=0, **changes))
    return spb.pp.profiles(adata, batch_key=None if shape == "one_batch" else "batch", min_cells=1)


def relabeled(seed, n_cells):
    """Return profiles of control cells of the bundled screen, some of which are given labels at random."""
    adata = spb.ds.papalexi_2021()
    adata = adata[adata.obs[KEY] == CONTROL].copy()
    labels = np.repeat([CONTROL], adata.n_obs).astype(object)
    cells = np.random.default_rng(seed).permutation(adata.n_obs)
    for i in range(GROUPS[n_cells]):
        labels[cells[i * n_cells : (i + 1) * n_cells]] = f"group {i}"
    adata.obs[KEY] = labels
    return spb.pp.profiles(adata, batch_key="bio_rep", min_cells=1)


def n_calls(profiles):
    """Return the calls of each null group by the guarded test and by Welch's."""
    names = [name for name in profiles.obs[KEY] if name not in (CONTROL, screens.CONTROL)]
    guarded = spb.get.de(profiles)[KEY].value_counts().reindex(names, fill_value=0).to_numpy()
    m = _moments.of(profiles).moments
    rows = np.flatnonzero(np.arange(len(m.n)) != m.reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (m.mean[rows] - m.control) / np.sqrt(m.noise[rows])
        own, control = m.var[rows] / m.n[rows, None], m.noise[rows] - m.var[rows] / m.n[rows, None]
        freedom = m.noise[rows] ** 2 / (own**2 / (m.n[rows, None] - 1) + control**2 / (m.n_control.sum() - 1))
        p = 2 * stats.t.sf(np.abs(t), freedom)
    welch = [(stats.false_discovery_control(row[np.isfinite(row)]) < 0.05).sum() for row in p]
    return guarded, np.array(welch)


def print_null(name, draw, n_screens):
    """Print a line for each size of the groups."""
    for n_cells in SIZES:
        calls = np.array(
            [n_calls(draw(seed, n_cells)) for seed in range(n_screens(n_cells))]
        )  # screens × tests × groups
        cells = []
        for values in (calls, calls > 0):
            by_screen = values.mean(axis=2)
            error = by_screen.std(axis=0, ddof=1) / np.sqrt(len(by_screen))
            cells.append([f"{m:.3f} ({e:.3f})" for m, e in zip(by_screen.mean(axis=0), error, strict=True)])
        n = calls.shape[0] * calls.shape[2]
        print(
            f"{name} | {n_cells} | {n} | " + " | ".join(x for pair in zip(*cells, strict=True) for x in pair),
            flush=True,
        )


def scores_of_truth(seed, n_cells, n_control, plant, n_perturbations=40):
    """Return the scores of the true effects, their ceilings, and those of the mean (3 × scores), averaged over perturbations."""
    changes = {
        "n_genes": 500,
        "n_perturbations": n_perturbations,
        "cells_per_perturbation": n_cells,
        "n_control": n_control,
    }
    world = screens.screen("one_batch", plant, **changes).plant(50_000 + seed)
    adata = screens.normalize(world.draw(seed))
    names, genes = list(world.truth["labels"])[1:], list(world.truth["genes"])
    test = names[::2]
    adata.obs["split"] = np.where(adata.obs[KEY].isin(test), "test", "train")
    profiles = spb.pp.profiles(adata, min_cells=1)
    effects = pd.DataFrame(world.truth["effects"], names, genes)
    mean = pd.DataFrame(np.tile(effects.drop(test).mean(), (len(test), 1)), test, genes)
    for name, table in (("truth", effects.loc[test]), ("mean effect", mean)):
        spb.tl.add_predictions(profiles, table, key_added=name, kind="delta", fitted_on="other", test=test)
    spb.tl.score(profiles)
    table = spb.get.scores(profiles, split="test").set_index("model")
    known = (
        table.loc["truth", "de_auprc_ceiling"].notna().to_numpy() & table.loc["truth", "de_auprc"].notna().to_numpy()
    )
    parts = (("truth", ""), ("truth", "_ceiling"), ("mean effect", ""))
    return np.array([[table.loc[m, f"{name}{s}"].to_numpy()[known].mean() for name in DE_SCORES] for m, s in parts])


def print_truth(n_screens):
    """Print a line for each design and score."""
    print("effects | cells / controls | score | truth | ceiling | difference | mean of the true effects")
    for plant in ("axis", "own"):
        for n_cells, n_control in DEPTHS:
            values = np.array([scores_of_truth(seed, n_cells, n_control, plant) for seed in range(n_screens)])
            for k, name in enumerate(DE_SCORES):
                truth, ceiling, mean = values[:, :, k].mean(axis=0)
                apart = values[:, 1, k] - values[:, 0, k]
                error = apart.std(ddof=1) / np.sqrt(n_screens)
                print(
                    f"{plant} | {n_cells} / {n_control} | {name} | {truth:.3f} | {ceiling:.3f} | {apart.mean():.3f} ({error:.3f}) "
                    f"| {mean:.3f}",
                    flush=True,
                )


def calls_of_scanpy(adata, method):
    """Return the called genes of each perturbation by a test of scanpy, own targets left out.

    Zeros are ties: without their correction, Wilcoxon's test has too large a variance.
    """
    sc.tl.rank_genes_groups(adata, KEY, reference=CONTROL, method=method, tie_correct=method == "wilcoxon")
    table = sc.get.rank_genes_groups_df(adata, None, pval_cutoff=0.05)
    table = table[table["group"].astype(str) != table["names"].astype(str)]
    return set(zip(table["group"], table["names"], strict=True))


def jaccard(a, b):
    """Return the size of the intersection over that of the union."""
    return len(a & b) / len(a | b)


def print_agreement(every):
    """Print the agreement with Wilcoxon's test; of ``every`` such cell of the bundled screen."""
    adata = spb.ds.papalexi_2021()[::every].copy()
    wilcoxon = calls_of_scanpy(adata, "wilcoxon")
    print(f"calls of Wilcoxon's test in the bundled screen, {adata.n_obs} cells: {len(wilcoxon)}")
    ours = {}
    for batch_key in (None, "bio_rep"):
        table = spb.get.de(spb.pp.profiles(adata, batch_key=batch_key))
        table = table[~table["is_target"].astype(bool)]
        name = "guarded" + (f" within {batch_key}" if batch_key else "")
        ours[name] = set(zip(table[KEY], table["gene"], strict=True))
    for name, calls in {**ours, "Welch": calls_of_scanpy(adata, "t-test")}.items():
        print(f"{name}: {len(calls)} calls, Jaccard {jaccard(calls, wilcoxon):.3f}", flush=True)


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=400, help="null groups of each kind and size, at least")
    parser.add_argument("--screens", type=int, default=10, help="screens of each design with effects")
    parser.add_argument(
        "--every", type=int, default=1, help="take every such cell of the bundled screen for the agreement"
    )
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    print("null groups | cells | groups | guarded: calls | any call | Welch: calls | any call")
    for name, settings in SIMULATED.items():
        n_groups = min(40, args.groups)
        print_null(
            name,
            lambda seed, n, settings=settings, n_groups=n_groups: simulated(seed, n, n_groups=n_groups, **settings),
            lambda _: max(2, -(-args.groups // 40)),
        )
    print_null("control cells of the bundled screen", relabeled, lambda n: max(2, -(-args.groups // GROUPS[n])))
    print_truth(args.screens)
    print_agreement(args.every)


if __name__ == "__main__":
    main()
