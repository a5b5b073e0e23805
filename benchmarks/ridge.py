"""`tl.fit_ridge`, from cells and from profiles, beside sklearn's ridge on the dense one-hot of all cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData
from sklearn.linear_model import Ridge

import scpertbias as spb

from ._measure import MIN_PAIRS, Row, Times, comparison, seconds
from ._screen import size_of

ALPHA = 0.1
AT_LEAST, TOLERANCE = 20.0, 1e-5


def run(adata: AnnData, *, pairs: int = MIN_PAIRS) -> list[Row]:
    """The peer runs once, on arrays that are dense already (making them is not counted)."""
    profiles = spb.pp.profiles(adata)
    theirs, fitted = peer(adata)
    rows = []
    for work, data in (("ridge, from cells", adata), ("ridge, from profiles", profiles)):
        ours(data)
        times = Times(tuple(seconds(lambda data=data: ours(data)) for _ in range(pairs)), (theirs,))
        gap = difference(spb.get.predictions(data, "ridge"), fitted)
        row = comparison(work, size_of(adata), times, at_least=AT_LEAST, difference=gap, tolerance=TOLERANCE)
        rows.append(row)
    forget(adata)
    return rows


def ours(data: AnnData) -> None:
    forget(data)
    spb.tl.fit_ridge(data, alpha=ALPHA)


def forget(data: AnnData) -> None:
    """Take the model away, so that each fit finds the data as the first did."""
    data.layers.pop("ridge", None)
    data.varm.pop("ridge", None)
    data.uns.get("scpertbias", {}).pop("models", None)


def peer(adata: AnnData) -> tuple[float, pd.DataFrame]:
    """Seconds of one fit, and the prediction for each group."""
    group = adata.obs["perturbation"].astype("category")
    one_hot = np.zeros((adata.n_obs, len(group.cat.categories)))
    one_hot[np.arange(adata.n_obs), group.cat.codes] = 1.0
    values = adata.X.toarray().astype(np.float64)
    model = Ridge(alpha=ALPHA, solver="cholesky")
    spent = seconds(lambda: model.fit(one_hot, values))
    fitted = model.predict(np.eye(one_hot.shape[1]))
    return spent, pd.DataFrame(fitted, index=group.cat.categories, columns=adata.var_names)


def difference(predictions: pd.DataFrame, fitted: pd.DataFrame) -> float:
    """Largest difference between the predictions, group by group; NaN counts as infinitely far."""
    gap = np.abs(predictions.loc[fitted.index].to_numpy() - fitted.to_numpy())
    return float(np.nan_to_num(gap, nan=np.inf).max())


if __name__ == "__main__":
    from ._table import main

    main([run])
