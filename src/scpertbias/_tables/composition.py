"""Contribution of each gene set to the response of each perturbation."""

from __future__ import annotations

from dataclasses import replace

from .response import CONFOUNDING
from .table import NOTE, PERTURBATION, RESPONSE_SHARE, Column, Table

_CLASS, _N_GENES = CONFOUNDING.pick("set_class", "n_genes")

COMPOSITION = Table(
    "composition",
    "spb.tl.confounding",
    "Contribution of each gene set to the response of each perturbation.",
    "One row per perturbation and group of genes. Each gene is in one group, so the shares of a perturbation add up "
    "to 1. A gene in several sets is counted in the first of these: technical sets, programs that are ``beyond`` "
    "random sets (see :func:`scpertbias.get.confounding`), and the other confounder gene sets.",
    (
        PERTURBATION,
        Column("group", "str", "Name of the gene set; ``other``: genes in none of these sets.", form="name"),
        _CLASS,
        Column(
            "share",
            "float64",
            "Share of the squared effect of the perturbation, corrected for noise; can be negative. Missing if the "
            "effect is too weak to estimate shares.",
            form="percent",
            tip="share of the squared effect of the perturbation, corrected for noise",
        ),
        RESPONSE_SHARE,
        replace(_N_GENES, sentence="Number of measured genes in the group."),
        NOTE,
    ),
)

TABLES = (COMPOSITION,)
