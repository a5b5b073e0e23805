"""Draw the picture of the front page: three panels of the audit of the bundled screen."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt

import scpertbias as spb

MODELS = ("no_change", "mean", "ridge")
TITLES = ("What is the response made of?", "How well do models do?", "What do they know?")

mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], models=MODELS)
fig, axes = plt.subplots(1, 3, figsize=(14, 4.6), width_ratios=(1.3, 1, 1), layout="constrained")
spb.pl.confounding(mdata, ax=axes[0])
spb.pl.score(mdata, "l2_ratio", ax=axes[1])
spb.pl.specificity(mdata, "pearson_delta", models=MODELS[1:], ax=axes[2])
for ax, title in zip(axes, TITLES, strict=True):
    below = ax.get_title()
    ax.set_title(f"{title}\n{below}" if below else title)
fig.savefig(Path(__file__).parent / "_static" / "audit.png", dpi=110)
