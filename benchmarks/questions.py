"""Every question except ``enrich``, one after another, on the profiles of the whole screen with seven models."""

from __future__ import annotations

from anndata import AnnData

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, seconds
from ._screen import size_of

SECONDS = 30.0
MODELS = ("mean", "ridge", "grn_linear", "two_stage", "bilinear")
"""With the two graph models on the perturbations axis, seven."""
OF_PROFILES = (
    "recurrence",
    "variance_ratio",
    "confounding",
    "balance",
    "specificity",
    "target_response",
    "attribution_agreement",
    "attribution_check",
)


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """``pairs`` is not used: there is no peer, and the first run is what a user waits for."""
    del pairs
    net = spb.pp.coexpression_net(adata)
    regimes = ("full", "no_mt", "no_mt_ribo")
    mdata = spb.tl.audit(adata, net, models=MODELS, regimes=regimes, n_random=0)
    took = {name: seconds(lambda name=name: getattr(spb.tl, name)(mdata["full"])) for name in OF_PROFILES}
    took["coupling"] = seconds(lambda: spb.tl.coupling(mdata, net))
    parts = ", ".join(f"{name} {value:.1f}" for name, value in took.items())
    print(f"  questions: {parts} s", flush=True)
    return [row(size_of(adata), sum(took.values()), len(spb.get.models(mdata)["model"].unique()))]


def row(size: str, took: float, n_models: int) -> Row:
    """The budget is for seven models."""
    met = took < SECONDS and n_models == 7
    return Row(work="questions", size=size, ours_s=took, budget=f"< {SECONDS:.0f} s", met=met)


if __name__ == "__main__":
    from ._table import main

    main([run])
