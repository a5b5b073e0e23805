"""Training of external models in every regime of an audit, from a file with the cells of the regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from ... import _moments, _results
from ..._core.arrays import BoolArray, IntArray
from ..._keys import FULL, RANDOM
from ..._log import info, progress, some, warn
from ..._models.external.add_predictions import add_predictions
from ..._models.external.matching import match
from ..._models.external.readers import measured
from ...pp._cell_files import CellValues, write_cell_files
from ...pp._regime_tables import PERTURBATION, SPLIT, random_regimes
from ...pp._regimes import RegimePlan
from ...pp._write_regimes import FileMaker, cell_values
from .._external_model import ExternalModel
from .by_regime import OTHER_SEED, Retrained
from .cell_source import CellSource
from .jobs import Arrays, Job, digest, run
from .one_training import CELLS, TrainingRun, content, fit_object, run_once, takes_seed, work_folder
from .settings import AuditSettings


@dataclass(frozen=True)
class Trained:
    """Results of the trainings of a model, as arguments of :func:`add_predictions`, and failures with reasons."""

    full: dict[str, Any]
    retrained: Retrained
    failures: list[tuple[str, str]]


def train_external(
    source: CellSource,
    mdata: MuData,
    plan: RegimePlan,
    models: Sequence[ExternalModel],
    folds: Mapping[str, int],
    settings: AuditSettings,
) -> dict[str, Trained]:
    """Train every model in every regime, one training at a time.

    A model that cannot be trained on all genes is an error: nothing could be compared with it. A failure elsewhere leaves
    that training out, with a warning; with a cache the next audit tries it again, and repeats nothing else.
    """
    if not models:
        return {}
    trainer = Trainer(source, mdata, plan, folds, settings, max(model.n_random for model in models))
    return {model.name: trainer.train(model) for model in models}


class Trainer:
    """Writes the cells of each training, trains the model, and checks its predictions."""

    def __init__(
        self,
        source: CellSource,
        mdata: MuData,
        plan: RegimePlan,
        folds: Mapping[str, int],
        settings: AuditSettings,
        n_random: int,
    ) -> None:
        self._mdata, self._plan, self._folds, self._cache = mdata, plan, folds, settings.cache
        full: AnnData = mdata[FULL]
        self._full, self._screen = full, _moments.of(full)
        self._random = random_regimes(full, plan, n_random, settings.rng)
        self._maker = FileMaker(source.cells, full, plan, source.data, settings.fit_on, self._random)
        self._values: CellValues = cell_values(
            source.cells, source.data, full.var_names, counts=source.counts, **source.reading
        )
        rng = settings.rng
        self._seed = int(rng) if isinstance(rng, int | np.integer) else int(np.random.default_rng(rng).integers(2**31))
        table = self._maker.table[[PERTURBATION, SPLIT]].astype(str)
        self._digest = digest([self._screen.digest(), table, settings.fit_on]) if settings.cache is not None else ""

    def train(self, model: ExternalModel) -> Trained:
        """Train a model in every regime, the one with all genes first."""
        seeded = takes_seed(model)
        trainings = [TrainingRun(regime, regime, self._seed) for regime in self._plan.genes]
        trainings += [TrainingRun(OTHER_SEED, FULL, self._seed + 1)] if seeded and model.second_seed else []
        trainings += [TrainingRun(f"{RANDOM}_{i + 1}", f"{RANDOM}_{i + 1}", self._seed) for i in range(model.n_random)]
        tables: dict[str, dict[str, Any]] = {}
        failures = []
        with progress(f"trainings of {model.name}", len(trainings) * self._n_folds(model)) as bar:
            for training in sorted(trainings, key=lambda one: one.name != FULL):
                result = self._train_once(model, training, bar)
                if isinstance(result, str):
                    msg = f"{model.name}@{training.name}: {result}"
                    if training.name == FULL:
                        raise ValueError(msg)
                    failures.append((training.name, result))
                    warn(
                        f"{msg}. The model is left out of this regime. With cache=, the next audit repeats only this training."
                    )
                else:
                    tables[training.name] = result
        retrained = Retrained(
            regimes={name: tables[name] for name in self._plan.genes if name in tables and name != FULL},
            other_seed=tables.get(OTHER_SEED),
            random={i + 1: tables[f"{RANDOM}_{i + 1}"] for i in range(model.n_random) if f"{RANDOM}_{i + 1}" in tables},
        )
        return Trained(tables[FULL], retrained, failures)

    def _n_folds(self, model: ExternalModel) -> int:
        return len(set(self._folds.values())) if model.folds else 1

    def _train_once(self, model: ExternalModel, training: TrainingRun, bar: Any) -> dict[str, Any] | str:
        """Train on the split, or on every fold: row p of the predictions is that of a training that never saw p."""
        numbers = sorted(set(self._folds.values())) if model.folds else [None]
        jobs = [self._job(model, training, number) for number in numbers]
        parts = []
        for _, result in run(jobs, n_jobs=1, cache=self._cache):
            if isinstance(result, str):
                return result
            parts.append(pd.DataFrame(result["values"], index=result["names"], columns=result["genes"]))
            kind = str(result["kind"])
            bar.update()
        return {"predictions": pd.concat(parts), "kind": kind, "cross_fitted": model.folds}

    def _job(self, model: ExternalModel, training: TrainingRun, fold: int | None) -> Job:
        key = (training.name, model.name, "split" if fold is None else str(fold))
        inputs = None
        if self._cache is not None:
            test = None if fold is None else sorted(name for name, number in self._folds.items() if number == fold)
            how = [model.kind, model.control, model.train_only, training.seed, test, content(model)]
            inputs = [self._digest, self._keep(training.regime), training.regime, how]
        folder = partial(work_folder, self._cache, model.name)
        job = Job(key, dict, inputs)
        name = "" if self._cache is None else self._cache.file_name(job)
        return Job(key, partial(self._work, model, training, fold, partial(folder, name)), inputs)

    def _keep(self, regime: str) -> BoolArray:
        return self._random[regime] if regime in self._random else self._plan.genes[regime]

    def _work(self, model: ExternalModel, training: TrainingRun, fold: int | None, folder_of: Any) -> Arrays:
        """Write the cells, train, read and check; a ValueError is why there are no predictions."""
        names = self._maker.table[PERTURBATION].astype(str)
        test = None if fold is None else (names.map(self._folds) == fold).to_numpy(bool)
        perturbations = self._perturbations(fold)
        with folder_of() as folder:
            write_cell_files(
                self._values,
                [self._maker.file(training.regime, folder / CELLS, train_only=model.train_only, test=test)],
            )
            info(f"{model.name}@{training.name}: training" + ("" if fold is None else f" without fold {fold}"))
            if model.command is None:
                predictions = fit_object(model, training, folder / CELLS, perturbations[PERTURBATION].tolist())
            else:
                predictions = run_once(model, training, fold, folder, perturbations)
            return self._checked(model, training.regime, predictions, perturbations)

    def _perturbations(self, fold: int | None) -> pd.DataFrame:
        """Return the perturbations to predict: those held out in a fold, or all without a fold."""
        table = self._maker.perturbations
        if fold is None:
            return table
        held_out = table[PERTURBATION].map(self._folds) == fold
        return table[held_out].assign(**{SPLIT: "test"})

    def _checked(
        self, model: ExternalModel, regime: str, predictions: AnnData | pd.DataFrame, perturbations: pd.DataFrame
    ) -> Arrays:
        """Check the predictions, and return a table of the perturbations to predict, by their names in the data."""
        keep = self._keep(regime)
        extra = measured(self._full, predictions) & ~keep
        if extra.any():
            msg = (
                f"the model predicts {int(extra.sum())} genes that are not in its training cells "
                f"({some(self._full.var_names[extra])}), so it was not trained on these cells"
            )
            raise ValueError(msg)
        profiles = self._mdata[regime] if regime in self._mdata.mod else self._full[:, keep]
        part = profiles.copy()
        add_predictions(part, predictions, key_added=model.name, kind=model.kind, control=model.control)
        codes = np.flatnonzero(
            np.isin(self._screen.names, perturbations.loc[perturbations[SPLIT] == "test", PERTURBATION])
        )
        stored = _results.predictions(part, model.name, _moments.of(part))
        if len(codes) and stored.iloc[codes].isna().all(axis=None):
            msg = f"the model predicts none of the {len(codes)} held-out perturbations"
            raise ValueError(msg)
        if isinstance(predictions, AnnData):
            table, kind = stored.iloc[1:].dropna(), "expression"
        else:
            table, kind = self._by_name(model, predictions)
        control = [] if model.folds else [self._screen.names[0]]  # with folds there would be several
        table = table[table.index.isin([*perturbations[PERTURBATION], *control])]
        names, genes = (np.array(labels, dtype=str) for labels in (table.index, table.columns))
        return {"values": table.to_numpy(np.float64), "names": names, "genes": genes, "kind": np.array(kind)}

    def _by_name(self, model: ExternalModel, predictions: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """Return predictions with the names of the screen; with a predicted control, as changes from it."""
        codes: IntArray = match([str(label) for label in predictions.index], self._screen)
        table = predictions[codes >= 0].set_axis([self._screen.names[code] for code in codes[codes >= 0]])
        if model.control == "observed":
            return table, model.kind
        changes = table - table.loc[self._screen.names[0]]
        return changes, "delta" if model.kind == "expression" else model.kind
