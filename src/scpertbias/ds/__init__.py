"""Data sets: a bundled screen, public screens to download, simulated screens with a known truth, and gene sets."""

from ._hallmark import hallmark
from ._norman import norman_2019
from ._papalexi import papalexi_2021
from ._replogle import replogle_2022_k562_essential
from ._sets import confounder_sets
from ._simulation.net import simulate_net
from ._simulation.simulate import simulate

__all__ = [
    "confounder_sets",
    "hallmark",
    "norman_2019",
    "papalexi_2021",
    "replogle_2022_k562_essential",
    "simulate",
    "simulate_net",
]
