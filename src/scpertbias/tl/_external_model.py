"""A model of anyone, which an audit trains: as a command, or as an object."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import _store, _validate
from .._models.external.scale import KINDS

PLACEHOLDER = re.compile(r"\{(cells|perturbations|predictions|predictions_h5ad|seed|regime|fold|folder)\}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ExternalModel:
    """What :func:`external_model` was told; :func:`scpertbias.tl.audit` trains it."""

    name: str
    command: str | tuple[str, ...] | None
    model: Any
    folds: bool
    n_random: int
    second_seed: bool
    train_only: bool
    kind: str
    control: str
    time_limit: float | None
    shell: bool


def external_model(
    name: str,
    *,
    command: str | Sequence[str] | None = None,
    model: Any = None,
    folds: bool = False,
    n_random: int = 0,
    second_seed: bool = True,
    train_only: bool = True,
    kind: str = "expression",
    control: str = "observed",
    time_limit: float | None = None,
    shell: bool = False,
) -> ExternalModel:
    """Make a model of your own one that an audit trains again in every regime.

    The audit writes the cells of each regime to a file (as :func:`scpertbias.pp.write_regimes` does), trains the model on
    it, and checks what it predicts. Pass the result among ``models=`` of :func:`scpertbias.tl.audit`. With ``cache=`` each
    training is kept as soon as it is done, and the next run goes on from there.

    Parameters
    ----------
    name
        Name of the model in all tables.
    command
        A command that trains and predicts, such as
        ``"python train.py --cells {cells} --predict {perturbations} --out {predictions} --seed {seed}"``. It runs in the
        current folder and environment. ``{cells}`` is an ``.h5ad``; ``{perturbations}`` a ``.csv`` with the column
        ``perturbation`` and the names for other packages; ``{predictions}`` the ``.csv`` to write, perturbations × genes
        (``{predictions_h5ad}``: an ``.h5ad``). ``{regime}``, ``{fold}`` and ``{seed}`` say which training it is.
        ``{folder}`` stays until a training is done, for checkpoints.
    model
        Instead of a command, an object with ``fit(adata)`` and ``predict(perturbations)``, which returns a table
        perturbations × genes. A copy is fitted each time. ``fit`` may take ``seed`` too.
    folds
        Whether to cross-fit the model over the folds of the audit, as closed-form models are: one training for each fold
        and regime. By default there is one split, in ``obs`` or made by the audit.
    n_random
        Trainings without random genes, for ``random_removals``.
    second_seed
        Whether to train on all genes once more with another seed, which shows what the seed alone changes. Only where
        the command has ``{seed}``, or ``fit`` takes ``seed``.
    train_only
        Whether the cells of held-out perturbations are left out of the file, so that the model cannot have seen them.
    kind
        What it predicts: ``"expression"``, ``"delta"`` or ``"log2fc"`` (see :func:`scpertbias.tl.add_predictions`).
    control
        Control that predicted changes start from: ``"observed"`` or ``"predicted"``.
    time_limit
        Seconds after which a training is stopped.
    shell
        Whether the command is passed to a shell (pipes, variables); by default it is not.

    Returns
    -------
    The model, to be passed to :func:`scpertbias.tl.audit`.

    Raises
    ------
    ValueError
        If neither or both of ``command`` and ``model`` are passed, or the command lacks ``{cells}`` or ``{predictions}``.
    TypeError
        If the object lacks ``fit`` or ``predict``.

    Examples
    --------
    >>> import scpertbias as spb
    >>> class ControlMean:
    ...     def fit(self, adata):
    ...         self.mean = adata[adata.obs["condition"] == "ctrl"].to_df().mean()
    ...
    ...     def predict(self, perturbations):
    ...         return self.mean.to_frame().T.loc[[0] * len(perturbations)].set_axis(perturbations)
    >>> mine = spb.tl.external_model("mine", model=ControlMean(), folds=True)
    >>> mdata = spb.tl.audit(spb.ds.simulate(600, 80, 4), models=("mean", mine), regimes=["full", "no_mt"])
    >>> spb.get.retraining(mdata).query("model == 'mine'")["gain"].abs().max() < 1e-6
    np.True_
    """
    _store.check_name(name)
    _validate.choice(kind, KINDS, argument="kind")
    _validate.choice(control, ("observed", "predicted"), argument="control")
    if (command is None) == (model is None):
        msg = "Pass either `command`, or `model`, an object with fit and predict."
        raise ValueError(msg)
    if model is not None and not all(callable(getattr(model, method, None)) for method in ("fit", "predict")):
        msg = f"`model` is a {type(model).__name__}; an object with fit(adata) and predict(perturbations) is needed."
        raise TypeError(msg)
    if command is not None:
        command = command if isinstance(command, str) else tuple(command)
        _check_command(command, shell=shell)
    if n_random < 0 or (time_limit is not None and not time_limit > 0):
        msg = f"`n_random` is {n_random} and `time_limit` {time_limit}; they must not be negative."
        raise ValueError(msg)
    return ExternalModel(
        name=name,
        command=command,
        model=model,
        folds=folds,
        n_random=n_random,
        second_seed=second_seed,
        train_only=train_only,
        kind=kind,
        control=control,
        time_limit=time_limit,
        shell=shell,
    )


def _check_command(command: str | tuple[str, ...], *, shell: bool) -> None:
    """Refuse a command that could not be told what to read and write."""
    if shell and not isinstance(command, str):
        msg = "`command` must be one text where it is passed to a shell."
        raise ValueError(msg)
    words = command if isinstance(command, tuple) else shlex.split(command)
    held = {match for word in words for match in PLACEHOLDER.findall(word)}
    missing = [name for name in ("cells", "predictions") if not any(part.startswith(name) for part in held)]
    if missing:
        msg = f"`command` has no {' and no '.join(f'{{{name}}}' for name in missing)}: {shlex.join(words)}"
        raise ValueError(msg)
