"""The data card of a screen: how much of its response is mitochondrial and ribosomal, and what each regime removes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from .. import _moments, _store
from .._files import CARD, replace_file
from .._keys import FULL, REGRESSED
from ..pp._regimes import removed
from .content import content
from .provenance import screen_size
from .screen_card_text import as_markdown
from .tables import plain

CONTEXT = {
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
}
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
OF_SCREEN = ("screen", "shared", "technical")
"""Verdicts on the data; a card has none on models."""
COLUMNS_OF_SETS = ("axis", "set_class", "n_genes", "n_target", "share", "ci_low", "ci_high", "null", "p", "beyond")
COLUMNS_OF_BALANCE = ("column", "kind", "n_levels", "share", "p", "status")


def data_card(data: MuData, folder: str | Path, *, title: str | None = None, files: pd.DataFrame | None = None) -> None:
    """Write the data card of a screen: mitochondrial and ribosomal share of the response, and genes of each regime.

    Attach it to a screen that you publish. ``scpertbias export`` writes it next to the cells.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`; an audit without models (``models=()``) is sufficient.
    folder
        Folder for ``DATACARD.md`` (for readers) and ``datacard.json`` (the same numbers for programs). The JSON file
        describes the data files with the vocabularies Croissant and schema.org. Existing cards are replaced.
    title
        Name of the screen; by default the title of the audit.
    files
        Table of the files that belong to the screen, such as the result of :func:`scpertbias.pp.write_regimes`.

    Returns
    -------
    Nothing; the two files are written to ``folder``.

    Raises
    ------
    TypeError
        If ``data`` is not a MuData.
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], models=())
    >>> folder = Path(tempfile.mkdtemp())
    >>> spb.data_card(mdata, folder, title="Papalexi et al. 2021")
    >>> (folder / "DATACARD.md").read_text(encoding="utf-8").splitlines()[0]
    '# Data card: Papalexi et al. 2021'
    """
    card = card_of(data, title=title, files=files)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    markdown, machine = CARD
    replace_file(folder / markdown, as_markdown(card))
    replace_file(folder / machine, json.dumps(as_croissant(card), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def card_of(data: MuData, *, title: str | None = None, files: pd.DataFrame | None = None) -> dict[str, Any]:
    """Return what the card says, as plain values; every number is one of the audit."""
    contents = content(data, title=title)
    tables: Mapping[str, pd.DataFrame] = contents["tables"]
    confounding = tables["confounding"]
    shares = confounding[(confounding["regime"] == FULL) & (confounding["level"] == "screen")]
    sets = shares[
        (shares["kind"] == "genes") & shares["set_class"].isin(["technical", "program"]) & (shares["n_genes"] > 0)
    ]
    axis = shares[shares["axis"] == "systematic"]
    kinds = tables["perturbations"]["kind"].value_counts()
    balance = tables["balance"]
    return plain_deep(
        {
            "title": contents["title"],
            "screen": {**screen_size(data), "n_perturbations": len(tables["perturbations"])},
            "gene_sets": records(sets, COLUMNS_OF_SETS),
            "shared_axis": records(axis, ("share", "ci_low", "ci_high", "n_axis", "carriers"))[:1],
            "regimes": [
                _regime(data, name, shares, tables["perturbations"])
                for name in contents["provenance"]["genes"]
                if name != FULL
            ],
            "regimes_left_out": records(tables["regimes_left_out"], ("regime", "reason")),
            "perturbations": {str(kind): int(n) for kind, n in kinds.items()},
            "balance": records(balance, COLUMNS_OF_BALANCE),
            "answers": [
                {key: one[key] for key in ("question", "verdict", "text")}
                for one in contents["answer"]
                if one["name"] in OF_SCREEN
            ],
            "cautions": [caution["text"] for caution in contents["cautions"] if caution["severe"]],
            "notes": [*contents["notes"], *contents["warnings"]],
            "provenance": contents["provenance"],
            "files": [] if files is None else files.to_dict("records"),
        }
    )


def records(table: pd.DataFrame, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return some columns of a table, a dict a row."""
    return table[[name for name in columns if name in table.columns]].to_dict("records")


def _regime(data: MuData, name: str, shares: pd.DataFrame, perturbations: pd.DataFrame) -> dict[str, Any]:
    """Return what a regime removes: genes, their share of the response, and the perturbations of removed genes."""
    full: AnnData = data[FULL]
    if name == REGRESSED:
        regressed = [str(c) for c in np.atleast_1d((_store.profiles_record(full) or {})["covariates"])]
        return {"regime": name, "n_genes": int(full.n_vars), "n_removed": 0, "covariates": regressed}
    screen, out = _moments.of(full), removed(full, name)
    symbols = set(screen.symbols[out].tolist())
    lost = [p for p, targets in zip(screen.names, screen.targets, strict=True) if symbols & set(targets)]
    sets = shares[shares["axis"].isin(["mt"] if name == "no_mt" else ["mt", "ribo"]) & (shares["n_genes"] > 0)]
    share = float(sets["share"].sum()) if int(sets["n_genes"].sum()) == int(out.sum()) and len(sets) else np.nan
    one = sets.iloc[0] if len(sets) == 1 else None
    return {
        "regime": name,
        "n_genes": int((~out).sum()),
        "n_removed": int(out.sum()),
        "removed": sorted(full.var_names[out].astype(str)),
        "share": share,
        "ci_low": np.nan if one is None else one["ci_low"],
        "ci_high": np.nan if one is None else one["ci_high"],
        "perturbations_of_removed_genes": [p for p in lost if p in set(perturbations["perturbation"])],
    }


def plain_deep(value: Any) -> Any:
    """Return values that JSON can hold; what is not known is None."""
    if isinstance(value, Mapping):
        return {str(key): plain_deep(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_deep(one) for one in value]
    return plain(value)


def as_croissant(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card in the terms of Croissant where it has them, and all of it under ``scpertbias``."""
    provenance = card["provenance"]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": card["title"],
        "description": " ".join(answer["text"] for answer in card["answers"]),
        "dateCreated": provenance["created"],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file["file"],
                "name": file["file"],
                "contentUrl": file["file"],
                "contentSize": f"{file['bytes']} B",
                "encodingFormat": "application/x-hdf5",
                "sha256": file["sha256"],
            }
            for file in card["files"]
        ],
        "scpertbias": dict(card),
    }
