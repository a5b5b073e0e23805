"""Draw the picture of the front page: which models are accurate and specific, and which genes make up each effect."""

import textwrap
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt

import scpertbias as spb
from scpertbias.pl._layout import legend_below

TITLES = ("Which models are accurate and specific?", "Which genes make up each effect?")

cells = spb.ds.simulate(20_000, 1187, 150, module_share=0.8, keep_counts=False)  # the simulated screen of the demo
net = spb.ds.simulate_net(cells, degree=20, noise=0.1)
mdata = spb.tl.audit(cells, net, regimes=("full",), n_random=0)
# The pages show it about 800 pixels wide: a small figure with many dots per inch keeps its text legible.
fig, axes = plt.subplots(1, 2, figsize=(11, 6.4), layout="constrained")
spb.pl.composition(mdata, n_perturbations=20, ax=axes[1])
axes[1].get_legend().remove()
legend_below(axes[1], axes[1].get_legend_handles_labels()[0])
spb.pl.map(mdata, ax=axes[0])  # last, because it places names in the final axes
for ax, title in zip(axes, TITLES, strict=True):
    below = textwrap.fill(ax.get_title() or ax.get_title(loc="left"), 68)
    ax.set_title("", loc="left")
    ax.set_title(title, fontsize="x-large", fontweight="bold", pad=36)
    ax.text(0.5, 1.015, below, transform=ax.transAxes, ha="center", va="bottom", fontsize=9)
fig.savefig(Path(__file__).parent / "_static" / "audit.png", dpi=150)
