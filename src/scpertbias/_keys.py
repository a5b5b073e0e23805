"""Every name under which something is stored, and what those who write tables and those who read them agree on."""

from __future__ import annotations

ROOT = "scpertbias"
"""The one entry of ``uns`` that holds what this package stores."""

MODEL_COLORS = "model_colors"
"""The entry of ``uns`` in the style of scanpy: the color of each model."""

MODELS = "models"
PROFILES = "profiles"
LABELS = "labels"
LAYERS = "layers"

HALVES = ("half_1", "half_2")
GUIDE_HALVES = ("guide_half_1", "guide_half_2")
VAR = "var"
CONTROL_BLOCKS = "control_blocks"
CONTROL_LEVELS = "control_by_level"
CONTROL_LEVELS_VAR = "control_var_by_level"
CONTROL_HALVES = ("control_half_1", "control_half_2")
CONTROL_VAR = "control_var"
CONTROL_CROSS = "control_cross"
CROSS = "cross"

OWN_TOTAL = "_scpertbias_size"
"""Column of ``obs`` with what an audit found the counts of each cell to sum to: as if no size factors were passed."""

FULL = "full"
WITHOUT_GENES = ("no_mt", "no_mt_ribo")
REGRESSED = "regressed"
REGIMES = (FULL, *WITHOUT_GENES, REGRESSED)
"""Feature regimes: all genes, without mitochondrial, also without ribosomal ones, with their programs regressed out."""

RANDOM = "random"
"""Regimes ``random_1``, ``random_2``, … lack as many other genes as the widest regime leaves out."""

LIKELY_BATCHES = "likely_batches"
"""Columns of ``obs`` that look like batches, which nothing takes into account."""

SPLITS = ("train", "val", "test")

MISSING, LABEL, SMALL_BATCH = "missing", "label", "small_batch"
"""Kinds of reasons for which cells are left out."""

OBSERVED = "observed"
"""What the data themselves are called among the models of a table."""

MODEL_COLUMNS = ("model", "model_a", "model_b")
"""Columns of tables that name models."""

NO_PRETRAINING = " (no pretraining)"
"""What the name of a foundation model without its published weights ends with."""

MUCH, PART, P_COLUMN = 0.25, 0.1, 0.01
"""A share of the response that decides a verdict, one that decides half of it, and how small p must be for a column."""

NEGLIGIBLE = 0.0005
"""A difference of relative errors that nobody could use, whether or not it is one of chance."""
