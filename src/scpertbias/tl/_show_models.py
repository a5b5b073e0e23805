"""List of models."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .._models._base import specs


def show_models() -> pd.DataFrame:
    """List the models, with their predictions for unseen perturbations, their requirements and their attributions.

    Returns
    -------
    One row per model: ``model``, ``function``, ``unseen``, ``needs``, ``attribution``, ``closed_form`` (whether the
    model has a closed form, so that an audit cross-fits it), ``citation``.

    Examples
    --------
    >>> import scpertbias as spb
    >>> models = spb.tl.show_models().set_index("model")
    >>> models.loc["ridge", "attribution"]
    '|W[:, p]|'
    """
    rows = [
        {
            "model": spec.name,
            "function": spec.fit.__name__,
            "unseen": spec.unseen,
            "needs": ", ".join(spec.needs),
            "attribution": spec.attribution,
            "closed_form": spec.solve is not None,
            "citation": spec.citation,
        }
        for spec in specs().values()
    ]
    return pd.DataFrame(rows)


def unseen_by_axis() -> dict[str, Mapping[str, str]]:
    """Return what models that smooth over one of several axes predict for an unseen perturbation, by axis."""
    return {spec.name: spec.unseen_by_axis for spec in specs().values() if spec.unseen_by_axis}
