"""Every name under which something is stored, and what those who write tables and those who read them agree on."""

from __future__ import annotations

ROOT = "scpertbias"
"""The entry of ``uns`` with everything that this package stores."""

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
"""Column of ``obs`` with the total counts per cell, which an audit computes if no size factors were passed."""

FULL = "full"
WITHOUT_GENES = ("no_mt", "no_mt_ribo")
REGRESSED = "regressed"
REGIMES = (FULL, *WITHOUT_GENES, REGRESSED)
"""Feature regimes: all genes; without mitochondrial genes; without mitochondrial and ribosomal genes; all genes with covariates regressed out."""

REGIME_NAMES = {
    "no_mt": "without mitochondrial genes",
    "no_mt_ribo": "without mitochondrial and ribosomal genes",
    REGRESSED: "with the covariates regressed out",
}
DIRECTION_NAMES = {
    "systematic": "shared axis",
    "depth": "sequencing depth",
    **{f"leading_{k}": f"leading direction {k}" for k in range(1, 6)},
}
"""What regimes and directions are called in figures and sentences."""

RANDOM = "random"
"""Regimes ``random_1``, ``random_2``, … leave out random genes: as many as the smallest feature regime leaves out."""

LIKELY_BATCHES = "likely_batches"
"""Columns of ``obs`` that look like batches, but are neither used nor tested."""

SPLITS = ("train", "val", "test")

MISSING, LABEL, SMALL_BATCH = "missing", "label", "small_batch"
"""Kinds of reasons for which cells are left out."""

OBSERVED = "observed"
"""Name of the observed data in columns that name models."""

MODEL_COLUMNS = ("model", "model_a", "model_b")
"""Columns of tables that name models."""

NO_PRETRAINING = " (no pretraining)"
"""Last part of the name of a foundation model that was trained without its published weights."""

MUCH, PART, P_COLUMN = 0.25, 0.1, 0.01
"""Smallest shares of the response for the verdicts Yes and Partly, and the largest p of a column that is called confounded."""

NEGLIGIBLE = 0.0005
"""Differences of relative errors below this are negligible, even if they are significant."""
