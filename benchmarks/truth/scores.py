"""How often intervals of scores hold the true value, for a model that is wrong in a fixed way.

It predicts half of the true effect and as much along the effect of another perturbation. Its true scores are those over
the population, against the training mean of the screen. Of squared errors, spread and specificity they are without noise;
correlations, and plain scores, are against means of as many cells and the control of the screen. Only the skill of
``pearson_delta``, of which the interval has the noise of the control, is the mean over controls.
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
N_CONTROLS = 10


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
    spb.tl.add_predictions(profiles, table, key_added=MODEL, test=test, fitted_on="other")
    spb.tl.fit_mean(profiles)
    intervals = _intervals(profiles, n_genes=adata.n_vars)
    mean = spb.get.predictions(profiles, "mean").loc[test[0]].to_numpy(float)
    true = _Truth(people, predicted, mean, rows[:N_TRAIN], adata)
    return {name: holds(*bounds, true.of(name, rows[N_TRAIN:])) for name, bounds in intervals.items()}


def predicted_effects(effects: Array) -> Array:
    """Half of each effect, and as much along that of the next perturbation, made as long as its own."""
    length = np.linalg.norm(effects, axis=1, keepdims=True)
    return 0.5 * (effects + length * np.roll(effects / length, -1, axis=0))


def _intervals(profiles: AnnData, n_genes: int) -> dict[str, tuple[float, float]]:
    """Return the bounds of every interval that the package gives of the model and that has a true value here."""
    spb.tl.score(profiles, [MODEL, "mean"], n_top_genes=n_genes)
    spb.tl.variance_ratio(profiles, MODEL)
    spb.tl.specificity(profiles, MODEL, n_top_genes=n_genes, n_perm=1)
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


@lru_cache(maxsize=N_POPULATIONS)
def _about_controls(people: Population) -> list[tuple[Array, Array, float, float]]:
    """Take the observed effects against other controls, the prediction and the truth against them.

    For each control: its means in batches, the mean of the standardized observed effects (a product with it is a mean
    correlation), and the mean correlations of the prediction and of the truth.
    """
    true = people.control + people.effects
    predicted = people.control + predicted_effects(people.effects)
    result = []
    for seed in range(N_CONTROLS):
        by_batch = people.draw_control(seed)
        control = people.control_weights @ by_batch
        effects = _standardized(people.observed(by_batch) - control)
        scores = (float((_standardized(x - control) * effects).sum(axis=1).mean()) for x in (predicted, true))
        result.append((by_batch, effects.mean(axis=0), *scores))
    return result


def _standardized(values: Array) -> Array:
    """Center rows and give them length 1; a constant is 0."""
    centered = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centered, axis=-1, keepdims=True)
    return np.divide(centered, length, out=np.zeros_like(centered), where=length > 1e-12)


class _Truth:
    """True scores over the population, against the control and the training mean of one screen."""

    def __init__(self, people: Population, predicted: Array, mean: Array, train: np.ndarray, adata: AnnData) -> None:
        self.by_batch = batch_means(adata, [screens.CONTROL])[0]
        self.control = people.control_weights @ self.by_batch
        self.people, self.predicted, self.mean = people, predicted, mean
        self.true = people.control + people.effects
        self.observed = people.observed(self.by_batch)
        # How the training mean follows the control of each batch
        self.follows = people.control_weights - people.weights[train].mean(axis=0)

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
        if name == "pearson_delta_skill":
            return self._skill_about_controls()
        about = self.control if name == "pearson_delta" else self.mean
        observed = _standardized(self.observed - about)
        score, best = ((_standardized(x - about) * observed).sum(axis=1).mean() for x in (self.predicted, self.true))
        return float(score / best if name.endswith("_skill") else score)

    def _skill_about_controls(self) -> float:
        """Return the skill of ``pearson_delta``, scores and baselines averaged over controls."""
        gain = room = 0.0
        for by_batch, effects, score, best in _about_controls(self.people):
            mean = self.mean + self.follows @ (by_batch - self.by_batch)
            lowest = float(_standardized(mean - self.people.control_weights @ by_batch) @ effects)
            gain += score - lowest
            room += best - lowest
        return gain / room

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
