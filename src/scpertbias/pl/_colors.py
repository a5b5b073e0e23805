"""Colors of models, which are the same in all figures and reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from anndata import AnnData
from matplotlib.colors import is_color_like, to_hex
from mudata import MuData

from .. import _results, _store
from .._keys import DIRECTION_NAMES, REGIME_NAMES
from .._log import some
from ..ds._hallmark import PREFIX, plain_name

KNOWN = {
    "no_change": "#A8A8A8",
    "mean": "#606060",
    "ridge": "#0072B2",
    "bilinear": "#E69F00",
    "grn_linear": "#330099",
    "grn_linear_perturbations": "#9900FF",
    "two_stage": "#997755",
    "two_stage_perturbations": "#770000",
    "additive": "#550055",
    "gears": "#D55E00",
    "scgpt": "#56B4E9",
}
"""Colors of the models of this package: those of Okabe & Ito, and others that differ most for color-blind readers."""
OTHERS = ("#77BB55", "#7755DD", "#BB0000", "#335533", "#BB77FF", "#BB0099", "#550077")
"""Colors of external models: distinct from the others, and from each other, also for the color-blind."""


SETS = {
    "mt": ("mitochondrial", "#D55E00"),
    "ribo": ("ribosomal", "#E69F00"),
    "heat_shock": ("heat shock", "#882255"),
    "upr_isr": ("unfolded-protein and stress response", "#CC79A7"),
    "histone": ("histones", "#8C510A"),
    "oxphos_nuclear": ("nuclear respiratory chain", "#F0C987"),
    "cell_cycle": ("cell cycle", "#0072B2"),
    "p53": ("p53 targets", "#009E73"),
    "hemoglobin": ("hemoglobin", "#770000"),
    "other": ("other genes", "#D0D0D0"),
}
PROGRAMS = ("#332288", "#56B4E9", "#44AA99", "#117733", "#999933")


def model_colors(data: AnnData | MuData) -> dict[str, str]:
    """Return the color of each model, and store it in ``uns["model_colors"]``, where users can set it.

    Models of this package have fixed colors. Other models get the next free color, and keep it when models are added.
    """
    stored = _store.model_colors(data)
    if wrong := {name: color for name, color in stored.items() if not is_color_like(color)}:
        msg = f"`uns['model_colors']`: {some(map(repr, wrong))} are not colors of matplotlib: {list(wrong.values())}."
        raise ValueError(msg)
    shades = {name: to_hex(color).upper() for name, color in stored.items()}
    new = sorted(name for name in _results.model_names(data) if name not in shades)
    shades |= {name: KNOWN[name] for name in new if name in KNOWN}
    free = [color for color in OTHERS if color not in shades.values()] or OTHERS
    shades |= {name: free[i % len(free)] for i, name in enumerate(name for name in new if name not in KNOWN)}
    if shades != stored:
        _store.put_model_colors(data, shades)
    return shades


def colors(data: AnnData | MuData, palette: Mapping[str, str] | None) -> dict[str, str]:
    """Return the color of each model in one figure; a palette overrides the stored colors."""
    return {**model_colors(data), **(palette or {})}


def set_names(sets: Iterable[str]) -> dict[str, str]:
    """Return a readable name for each gene set and direction."""
    return {s: SETS[s][0] if s in SETS else DIRECTION_NAMES.get(s, _program(s)) for s in sets}


def _program(name: str) -> str:
    return plain_name(name) if name.startswith(PREFIX) else name.replace("_", " ")


def regime_name(regime: str) -> str:
    """Return what a regime leaves out."""
    return REGIME_NAMES.get(regime, regime.replace("_", " "))


def set_colors(sets: Iterable[str], palette: Mapping[str, str] | None) -> dict[str, str]:
    """Return the color of each gene set: confounder gene sets have fixed colors, programs get others in order."""
    programs = [s for s in sets if s not in SETS]
    colors = {s: SETS[s][1] for s in SETS} | {s: PROGRAMS[i % len(PROGRAMS)] for i, s in enumerate(programs)}
    return {**colors, **(palette or {})}
