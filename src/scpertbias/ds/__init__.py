"""Data sets: a bundled screen, simulated screens with a known truth, and gene sets."""

from ._hallmark import hallmark
from ._net import simulate_net
from ._papalexi import papalexi_2021
from ._sets import confounder_sets
from ._simulate import simulate

__all__ = ["confounder_sets", "hallmark", "papalexi_2021", "simulate", "simulate_net"]
