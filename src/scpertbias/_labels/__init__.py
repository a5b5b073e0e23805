"""Perturbation labels: one place that decides what they mean."""

from .control import nearest
from .labels import (
    COLUMNS,
    MEANINGS,
    NO_LABEL,
    SEVERAL,
    Labels,
    announce,
    cautions,
    high_multiplicity,
    left_out,
    summary,
)
from .overrules import MODES, LabelMap, stored_map
from .parse import Genes, parse
from .words import UNASSIGNED, is_control_word, unassigned_word

__all__ = [
    "COLUMNS",
    "MEANINGS",
    "MODES",
    "NO_LABEL",
    "SEVERAL",
    "UNASSIGNED",
    "Genes",
    "LabelMap",
    "Labels",
    "announce",
    "cautions",
    "high_multiplicity",
    "is_control_word",
    "left_out",
    "nearest",
    "parse",
    "stored_map",
    "summary",
    "unassigned_word",
]
