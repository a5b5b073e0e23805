"""How often intervals of scores hold the true value, for a model that is wrong in a fixed way.

It predicts half of the true effect and as much along the effect of another perturbation. Its true scores are those over
the population, against the training mean and the control of the screen: of skills, spread and specificity those without
noise, of plain scores those against means of as many cells.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.spatial.distance import cdist

import scpertbias as spb
from benchmarks import screens

from .population import N_POPULATIONS, SIZE, Array, Population, batch_means, population
from .records import Aim, Claim, Condition, Values
from .shapes import batch_key
from .shares import AIM, TAILS, holds

SHAPES = ("one_batch", "uneven")
SIZES = (12, 25, 50, 100)
N_TRAIN = 30
MODEL = "model"
CORRELATIONS = ("pearson_delta", "pearson_delta_perturbed")


def measure(condition: Condition, seed: int, size: int = SIZE) -> Values:
    """Return which intervals hold the true score of the model; a metric that the package lacks is left out."""
    people = population(condition.shape, condition.tails, seed % N_POPULATIONS, size)
    rows = np.random.default_rng([seed, condition.n]).choice(size, N_TRAIN + condition.n, replace=False)
    test = people.names(rows[N_TRAIN:])
    adata = people.draw(rows, seed)
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(test), "test", "train")
    predicted = people.control + predicted_effects(people.effects)
    profiles = spb.pp.profiles(adata, batch_key=batch_key(adata))
    table = pd.DataFrame(predicted[rows[N_TRAIN:]], test, people.genes)
    spb.tl.add_predictions(profiles, table, key_added=MODEL, test=test)
    spb.tl.fit_mean(profiles)
    intervals = _intervals(profiles, n_genes=adata.n_vars)
    mean = spb.get.predictions(profiles, "mean").loc[test[0]].to_numpy(float)
    true = _Truth(people, predicted, mean, adata)
    return {name: holds(*bounds, true.of(name, rows[N_TRAIN:])) for name, bounds in intervals.items()}


def predicted_effects(effects: Array) -> Array:
    """Half of each effect, and as much along that of the next perturbation, made as long as its own."""
    length = np.linalg.norm(effects, axis=1, keepdims=True)
    return 0.5 * (effects + length * np.roll(effects / length, -1, axis=0))


def _intervals(profiles: AnnData, n_genes: int) -> dict[str, tuple[float, float]]:
    """Return the bounds of every interval that the package gives of the model and that has a true value here."""
    spb.tl.score(profiles, [MODEL, "mean"], n_top_genes=n_genes)
    spb.tl.variance_ratio(profiles, MODEL)
    spb.tl.specificity(profiles, MODEL, n_top_genes=n_genes, n_perm=1, n_boot=1)
    summary = spb.get.summary(profiles, models=MODEL, subset="all").set_index("metric")
    ratio = spb.get.variance_ratio(profiles, models=MODEL, level="screen")
    specificity = spb.get.specificity(profiles, models=MODEL).set_index("metric")
    rows = {name: summary.loc[name] for name in METRICS if name in summary.index}
    rows["variance_ratio"] = ratio.iloc[0]
    rows |= {name: specificity.loc[name] for name in SPECIFIC if name in specificity.index}
    return {name: (float(row["ci_low"]), float(row["ci_high"])) for name, row in rows.items()}


METRICS = (
    "l2", "l2_ratio", "pearson_delta", "pearson_delta_perturbed", "discrimination",
    "l2_skill", "pearson_delta_skill", "pearson_delta_perturbed_skill",
)  # fmt: skip
SPECIFIC = ("specific_skill", "specific_slope", "specific_fitted")


@lru_cache(maxsize=N_POPULATIONS)
def _discrimination(people: Population) -> float:
    """Share of the population farther from a prediction than its own perturbation; the control hardly matters."""
    predicted = people.control + predicted_effects(people.effects)
    far = cdist(predicted, people.observed(people.world.truth["means_by_batch"][0]), "cityblock")
    return float((far > np.diag(far)[:, None]).sum() / (len(far) * (len(far) - 1)))


class _Truth:
    """True scores over the population, against the control and the training mean of one screen."""

    def __init__(self, people: Population, predicted: Array, mean: Array, adata: AnnData) -> None:
        by_batch = batch_means(adata, [screens.CONTROL])[0]
        share = people.world.cells.iloc[0].to_numpy(float)
        self.control = share / share.sum() @ by_batch
        self.people, self.predicted, self.mean = people, predicted, mean
        self.true = people.control + people.effects
        self.observed = people.observed(by_batch)

    def of(self, name: str, rows: np.ndarray) -> float:
        """Return the true value of a metric; ``rows`` are the perturbations that the screen holds out."""
        if name in SPECIFIC:
            return self._specific(rows)[name]
        if name == "variance_ratio":
            return float(np.sqrt(self.predicted.var(axis=0).sum() / self.people.effects.var(axis=0).sum()))
        if name == "l2_skill":
            return 1 - np.square(self.predicted - self.true).sum() / np.square(self.mean - self.true).sum()
        if name == "discrimination":
            return _discrimination(self.people)
        error, of_mean = (np.linalg.norm(x - self.observed, axis=1) for x in (self.predicted, self.mean))
        if name in ("l2", "l2_ratio"):
            return float((error if name == "l2" else error / of_mean).mean())
        metric = name.removesuffix("_skill")
        score, lowest, best = (self._correlation(metric, x) for x in (self.predicted, self.mean, self.true))
        return float(score if metric == name else (score - lowest) / (best - lowest))

    def _correlation(self, metric: str, predicted: Array) -> float:
        """Mean correlation with what is observed, about the control or the training mean; 0 of a constant."""
        about = self.control if metric == "pearson_delta" else self.mean
        x, y = (z - z.mean(axis=1, keepdims=True) for z in (np.atleast_2d(predicted - about), self.observed - about))
        length = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        r = np.divide(np.sum(x * y, axis=1), length, out=np.zeros_like(length), where=length > 1e-12)
        return float(r.mean())

    def _specific(self, rows: np.ndarray) -> Values:
        """Return skill, slope and what the best slope would reach, off the training mean and the main direction."""
        axis = self.mean - self.control
        predicted, true = (_off(x - self.control, axis) for x in (self.predicted, self.true))
        main = np.linalg.svd(predicted[rows], full_matrices=False)[2][0]
        x, y = _off(predicted, main), _off(true, main)
        product, squares, total = (x * y).sum(), (x**2).sum(), (y**2).sum()
        skill = 1 - np.square(x - y).sum() / total
        return dict(zip(SPECIFIC, (skill, product / squares, product**2 / (squares * total)), strict=True))


def _off(values: Array, direction: Array) -> Array:
    return values - np.outer(values @ direction, direction) / (direction @ direction)


def aim(condition: Condition, quantity: str) -> Aim:
    """Return the bounds of coverage."""
    return AIM


CLAIM = Claim(
    "scores",
    tuple(Condition(shape, tails, n) for shape in SHAPES for tails in TAILS for n in SIZES),
    measure,
    aim,
    lambda condition: 400,
    ("population.py", "shares.py"),
)
