"""Confounder gene sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._files import read_table

if TYPE_CHECKING:
    import pandas as pd

# Mouse symbols that capitalization does not give; None: no mouse gene.
_MOUSE: dict[str, str | None] = {
    "HBA1": "Hba-a1",
    "HBA2": "Hba-a2",
    "HBB": "Hbb-bs",
    "HBD": "Hbb-bt",
    "HBE1": "Hbb-y",
    "HBG1": "Hbb-bh1",
    "HBG2": "Hbb-bh2",
    "HBM": None,
    "HBQ1": "Hbq1a",
    "HBZ": "Hba-x",
    "MT-CYB": "mt-Cytb",
    "RPS4Y1": None,
    "RPS4Y2": None,
    "TP53INP1": "Trp53inp1",
    "TNFRSF10A": None,
    "TNFRSF10C": None,
    "TNFRSF10D": None,
}


def confounder_sets(species: str = "human") -> pd.DataFrame:
    """Return the confounder gene sets: genes that many perturbations change for reasons unrelated to their target.

    Parameters
    ----------
    species
        `"human"` or `"mouse"`. Mouse symbols are the human symbols in mouse spelling (`mt-Nd1`, `Rps3`), with
        corrections for genes whose names differ.

    Returns
    -------
    A table with one row per gene and set: `source` (the set), `target` (the gene symbol) and `reference` (source of the
    set). The sets can overlap:

    - `mt`: the 13 protein genes and two rRNA genes of mitochondrial DNA,
    - `oxphos_nuclear`: nuclear genes of the respiratory chain, its assembly, and the mitochondrial ribosome,
    - `ribo`: cytosolic ribosomal proteins, including `FAU`, `UBA52` and `RACK1`, but not `RPS6KB2` and `RPS19BP1`,
    - `cell_cycle`: S and G2/M phase,
    - `histone`: replication-dependent histones,
    - `heat_shock`: targets of HSF1,
    - `upr_isr`: unfolded-protein and integrated stress response,
    - `p53`: direct targets of p53,
    - `hemoglobin`: globin chains.

    For renamed genes, the sets contain the earlier and the present name (`ATP5A1` and `ATP5F1A`), because public
    screens use both.

    Raises
    ------
    ValueError
        If ``species`` is unknown.

    Examples
    --------
    >>> import scpertbias as spb
    >>> sets = spb.ds.confounder_sets()
    >>> sets.loc[sets["source"] == "mt", "target"].head(3).tolist()
    ['MT-ATP6', 'MT-ATP8', 'MT-CO1']
    """
    return of_species(read_table("confounder_sets.csv"), species)


def of_species(sets: pd.DataFrame, species: str) -> pd.DataFrame:
    """Return a copy of sets of human genes, with the symbols of a species."""
    if species == "human":
        return sets.copy()
    if species == "mouse":
        sets = sets.assign(target=[_mouse_symbol(gene) for gene in sets["target"]])
        return sets.dropna(subset="target").drop_duplicates(["source", "target"]).reset_index(drop=True)
    msg = f"`species` is {species!r}; it must be 'human' or 'mouse'. For other species, pass your own sets."
    raise ValueError(msg)


def _mouse_symbol(gene: str) -> str | None:
    if gene in _MOUSE:
        return _MOUSE[gene]
    if gene.startswith("MT-"):
        return "mt-" + gene[3:].capitalize()
    return gene.capitalize()
