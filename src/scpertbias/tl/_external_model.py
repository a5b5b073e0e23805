"""A model of the user, which an audit trains with a command or as an object."""

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
    """The arguments of :func:`external_model`, for a training by :func:`scpertbias.tl.audit`."""

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
    """Define a model of your own that an audit trains in every regime.

    The audit writes the cells of each regime to a file (as :func:`scpertbias.pp.write_regimes` does), trains the model on
    this file, and checks its predictions. Pass the result in ``models=`` of :func:`scpertbias.tl.audit`. With ``cache=``,
    the next audit does not repeat finished trainings.

    Parameters
    ----------
    name
        Name of the model in all tables.
    command
        A command that trains and predicts, such as
        ``"python train.py --cells {cells} --predict {perturbations} --out {predictions} --seed {seed}"``. The command
        runs in the current folder and environment. The audit replaces the following placeholders:

        - ``{cells}``: path of the ``.h5ad`` file with the training cells.
        - ``{perturbations}``: path of a ``.csv`` file with the perturbations to predict, in the column
          ``perturbation``. Further columns contain their names in the formats of other packages.
        - ``{predictions}``: path of the ``.csv`` file that the command must write, perturbations × genes. For an
          ``.h5ad`` file, use ``{predictions_h5ad}`` instead.
        - ``{regime}``, ``{fold}``, ``{seed}``: regime, fold and seed of this training.
        - ``{folder}``: path of a folder, for example for checkpoints. It is deleted when the training is finished.

    model
        An object to pass instead of a command. Its method ``fit(adata)`` trains, and its method
        ``predict(perturbations)`` returns a table perturbations × genes. Each training uses a copy of the object. The
        method ``fit`` can also have the argument ``seed``.
    folds
        Whether to cross-fit the model over the folds of the audit, like closed-form models: one training per fold and
        regime. By default, the model is trained on one split per regime. This is the split in ``obs``; if ``obs`` has
        none, the audit makes one.
    n_random
        Number of additional trainings that each leave out a random set of genes, for the table ``random_removals``.
    second_seed
        Whether to train on all genes once more with another seed, to measure the effect of the seed. This requires
        ``{seed}`` in the command, or the argument ``seed`` of ``fit``.
    train_only
        Whether to leave the cells of held-out perturbations out of the file, so that the model cannot see them.
    kind
        Type of the predictions: ``"expression"``, ``"delta"`` or ``"log2fc"`` (see :func:`scpertbias.tl.add_predictions`).
    control
        Control from which predicted changes are computed: ``"observed"`` or ``"predicted"`` (see
        :func:`scpertbias.tl.add_predictions`).
    time_limit
        Seconds after which a training is stopped.
    shell
        Whether to run the command in a shell, for pipes and variables.

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
        msg = "Pass either `command`, or `model` (an object with fit and predict), but not both."
        raise ValueError(msg)
    if model is not None and not all(callable(getattr(model, method, None)) for method in ("fit", "predict")):
        msg = f"`model` is a {type(model).__name__}; it must have the methods fit(adata) and predict(perturbations)."
        raise TypeError(msg)
    if command is not None:
        command = command if isinstance(command, str) else tuple(command)
        _check_command(command, shell=shell)
    if n_random < 0 or (time_limit is not None and not time_limit > 0):
        msg = f"`n_random` is {n_random} and `time_limit` is {time_limit}; n_random must be 0 or more, and time_limit above 0."
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
    """Raise an error for a command without the placeholders of its input and output files."""
    if shell and not isinstance(command, str):
        msg = "`command` is a sequence, but a shell needs a single string."
        raise ValueError(msg)
    words = command if isinstance(command, tuple) else shlex.split(command)
    held = {match for word in words for match in PLACEHOLDER.findall(word)}
    missing = [name for name in ("cells", "predictions") if not any(part.startswith(name) for part in held)]
    if missing:
        msg = f"`command` has no {' and no '.join(f'{{{name}}}' for name in missing)}: {shlex.join(words)}. Add it to the command."
        raise ValueError(msg)
