"""What the response of each perturbation is made of."""

from __future__ import annotations

from dataclasses import replace

from .response import CONFOUNDING
from .table import NOTE, PERTURBATION, RESPONSE_SHARE, Column, Table

_CLASS, _N_GENES = CONFOUNDING.pick("set_class", "n_genes")

COMPOSITION = Table(
    "composition",
    "spb.tl.confounding",
    "What the response of each perturbation is made of.",
    "One row per perturbation and group of genes. Each gene is in one group, so that the shares of a perturbation add up "
    "to 1: technical sets come first, then programs that account for more than random genes, then all other sets.",
    (
        PERTURBATION,
        Column("group", "str", "Name of the gene set; ``other``: the genes in none.", form="name"),
        _CLASS,
        Column(
            "share",
            "float64",
            "Share of the squared effect of the perturbation, without noise; may be negative. Missing where the effect is "
            "too weak.",
            form="percent",
            tip="share of the squared effect of the perturbation, corrected for noise",
        ),
        RESPONSE_SHARE,
        replace(_N_GENES, sentence="Measured genes of the group."),
        NOTE,
    ),
)

TABLES = (COMPOSITION,)
