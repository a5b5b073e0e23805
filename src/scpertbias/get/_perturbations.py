"""Read the tables of an audit about its perturbations, its random removals, the ranking, and the number of genes."""

from __future__ import annotations

import pandas as pd
from mudata import MuData

from .. import _store

AUDIT = "spb.tl.audit"


def perturbations(data: MuData) -> pd.DataFrame:
    """Return what became of each perturbation, before any model: the table for whoever ran the screen.

    ``kind`` says in a word what to do with it: judge models on ``specific`` ones, mistrust the rest.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a perturbation. ``kind``, the first that holds: ``too few cells``, ``not reproducible`` (under 0.3),
    ``target in a confounder set`` (whatever that set carries), ``mostly shared axis`` (more than half of its effect lies
    on the mean response or a confounder set), ``specific``; ``reproducible`` where its shares are not known.
    ``n_cells``, ``reproducibility``, ``effect`` (length of the effect without noise, log-normalized units),
    ``energy_share`` (of the screen's response), ``own_gene`` (the measured target; of several the one that moved least)
    with ``own_z`` and ``own_percentile`` (of ``|z|`` among all genes), the shares of its effect ``mt``, ``ribo`` and
    ``systematic``, and ``top_genes`` (largest ``|z|``).

    Raises
    ------
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", models=("mean",))
    >>> spb.get.perturbations(mdata).set_index("perturbation").loc["STAT1", "own_gene"]
    'STAT1'
    """
    return _store.table(data, "perturbations", made_by=AUDIT)


def random_regimes(data: MuData) -> pd.DataFrame:
    """Return what retraining without random genes changed, beside the regime without the most confounder genes.

    A regime's ``gain`` above all of the random ones says that it is these genes, and not any genes of their expression.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a model: ``regime``, ``n`` (perturbations), ``n_genes`` (removed), ``n_random`` (removals), ``gain`` (error
    relative to the mean baseline, full − retrained; positive: retraining helps), ``random_mean``, ``random_low`` and
    ``random_high`` (mean, least and largest gain of the removals), ``p`` (one-sided; ``q`` is NaN, as it is not adjusted),
    ``n_replaced`` (genes taken from another bin of expression, as their own had too few), ``mismatch`` (mean difference
    of log expression in control between the genes removed at random and the regime's) and ``note`` (models that solve
    every gene apart cannot differ, and are not retrained).

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or one without random removals (no mitochondrial or ribosomal gene is measured, no
        such regime was asked for, or ``n_random=0``).

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", models=("ridge", "bilinear"))
    >>> spb.get.random_regimes(mdata).set_index("model")["n_random"].to_dict()
    {'ridge': 0, 'bilinear': 20}
    """
    return _store.table(data, "random_regimes", made_by=f"{AUDIT} (with n_random above 0 and a regime without genes)")


def ranking(data: MuData) -> pd.DataFrame:
    """Return whether retraining in a regime turns the order of two models round.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a regime and pair of models, the mean baseline among them, on the ``n`` held-out perturbations and the genes
    that both predict: ``full`` and ``retrained`` are the mean of a − b of the error relative to the mean baseline
    (negative: a is closer to the truth) of the models trained on all genes and in the regime, each with its 95 % interval
    (``_low``, ``_high``). ``order``: ``kept`` or ``reversed`` where both intervals leave out 0, ``same`` where no difference reaches
    0.0005, else ``untold``.

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or one without models.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", models=("control", "mean"))
    >>> spb.get.ranking(mdata).set_index("regime").loc["no_mt", "order"]
    'kept'
    """
    return _store.table(data, "ranking", made_by=f"{AUDIT} with models")


def error_by_n_genes(data: MuData) -> pd.DataFrame:
    """Return how errors grow with the number of genes that are looked at.

    A model that beats the baseline only over few or only over all genes owes that to the choice of genes.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.

    Returns
    -------
    One row a model, regime, subset and ``n_genes``, those of highest mean in control (``ranked_by``); medians over the
    ``n`` held-out perturbations that the model predicts (``subset`` ``all``), or that all models do (``common``): ``l2``, ``l2_baseline``, ``l2_ceiling`` (of the truth itself),
    ``l2_ratio`` (to the mean baseline), ``l2_ratio_ceiling``.

    Raises
    ------
    KeyError
        If ``data`` is not an audit, or one without models.

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), strata="bio_rep", models=("control", "mean"))
    >>> int(spb.get.error_by_n_genes(mdata)["n_genes"].max())
    303
    """
    return _store.table(data, "error_by_n_genes", made_by=f"{AUDIT} with models")
