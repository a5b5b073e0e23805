"""Preprocessing: confounders, splits, profiles, networks, regimes."""

from ._annotate import annotate_confounders
from ._check import check
from ._exclude import exclude_confounders
from ._inspect import inspect
from ._nets import coexpression_net, jaccard_net
from ._profiles import profiles
from ._regimes import regimes
from ._regress import regress_mt_ribo
from ._select_genes import select_genes
from ._split import split
from ._standardize import standardize
from ._write_regimes import write_regimes

__all__ = [
    "annotate_confounders",
    "check",
    "coexpression_net",
    "exclude_confounders",
    "inspect",
    "jaccard_net",
    "profiles",
    "regimes",
    "regress_mt_ribo",
    "select_genes",
    "split",
    "standardize",
    "write_regimes",
]
