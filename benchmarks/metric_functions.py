"""Functions that people score predictions by, as they would write them: by row, or for vectors."""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr


def mse(predicted, observed, control):
    return ((predicted - observed) ** 2).mean(axis=1)


def rmse(predicted, observed, control):
    return np.sqrt(mse(predicted, observed, control))


def mae(predicted, observed, control):
    return np.abs(predicted - observed).mean(axis=1)


def nmae(predicted, observed, control):
    return np.abs(predicted - observed).sum(axis=1) / np.abs(observed - control).sum(axis=1)


def r2(predicted, observed, control):
    spread = ((observed - observed.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return 1 - ((predicted - observed) ** 2).sum(axis=1) / spread


def pearson(predicted, observed, control):
    return np.corrcoef(predicted - control, observed - control)[0, 1]


def spearman(predicted, observed, control):
    return spearmanr(predicted - control, observed - control).statistic


def sign(predicted, observed, control):
    return np.mean(np.sign(predicted - control) == np.sign(observed - control))


def strongest(effect, k=20):
    return set(np.argsort(-np.abs(effect), kind="stable")[:k].tolist())


def overlap(predicted, observed, control):
    return len(strongest(predicted - control) & strongest(observed - control)) / 20


def auprc(predicted, observed, control):
    """Average precision for the 20 genes of largest observed effect, ranked by the predicted one."""
    order = np.argsort(-np.abs(predicted - control), kind="stable")
    hits = np.isin(order, list(strongest(observed - control)))
    return (np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean()


def retrieval(predicted, observed, control):
    """Share of the other perturbations that are farther from the prediction than the own one."""
    distances = cdist(predicted, observed)
    return (distances > np.diag(distances)[:, None]).sum(axis=1) / (len(distances) - 1)


FUNCTIONS = {f.__name__: f for f in (mse, rmse, mae, nmae, r2, pearson, spearman, sign, overlap, auprc, retrieval)}
ERRORS = ("mse", "rmse", "mae", "nmae")
WITHOUT_CONTROL = ("mse", "rmse", "mae", "r2", "retrieval")
