"""Draw the picture of the front page: which models are accurate and specific, and which genes make up each effect."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt

import scpertbias as spb

TITLES = ("Which models are accurate and specific?", "Which genes make up each effect?")

cells = spb.ds.simulate(20_000, 1187, 150, module_share=0.8, keep_counts=False)  # the simulated screen of the demo
net = spb.ds.simulate_net(cells, degree=20, noise=0.1)
mdata = spb.tl.audit(cells, net, regimes=("full",), n_random=0)
fig, axes = plt.subplots(1, 2, figsize=(15, 6), width_ratios=(1.2, 1), layout="constrained")
spb.pl.map(mdata, ax=axes[0])
spb.pl.composition(mdata, n_perturbations=20, ax=axes[1])
for ax, title in zip(axes, TITLES, strict=True):
    below = ax.get_title() or ax.get_title(loc="left")
    ax.set_title("", loc="left")
    ax.set_title(title, fontsize="x-large", fontweight="bold", pad=26)
    ax.text(0.5, 1.015, below, transform=ax.transAxes, ha="center", va="bottom", fontsize="medium")
fig.savefig(Path(__file__).parent / "_static" / "audit.png", dpi=90)
