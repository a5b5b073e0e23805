"""People who follow nothing but what the command line prints: one look and one audit, without an error."""

import json
import shlex

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._cli.flags import in_flags
from scpertbias._cli.main import main

FAST = ["--models", "mean", "--models", "ridge", "--regimes", "full", "--n-random", "0"]


def printed_command(capsys, path) -> list[str]:
    """The command that an inspection prints, as a shell splits it."""
    assert main(["inspect", str(path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Problems" not in out
    program, *words = shlex.split(out.splitlines()[-1])
    assert program == "scpertbias"
    return words


def audited(capsys, words, folder) -> dict:
    code = main([*words, "--out", str(folder)])
    out, err = capsys.readouterr()
    assert code == 0, err
    for text in (out, err):
        assert "batch_key" not in text
        assert "label_map" not in text
    audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert [text for text in sentences(audit) if in_flags(text) != text] == []
    return audit


def sentences(value):
    """Everything that people read in a file of an audit."""
    if isinstance(value, list):
        return [text for one in value for text in ([one] if isinstance(one, str) else sentences(one))]
    if not isinstance(value, dict):
        return []
    own = [value[key] for key in ("text", "detail", "note", "reason") if isinstance(value.get(key), str)]
    return own + [text for key, one in value.items() if key not in ("facts", "provenance") for text in sentences(one)]


def thp1() -> ad.AnnData:
    """Raw counts of the bundled screen, Ensembl ids, and columns of other names."""
    cells = spb.ds.papalexi_2021()
    cells = cells[np.random.default_rng(0).choice(cells.n_obs, 4000, replace=False)]
    names = {"perturbation": "target_gene_name", "guide": "sgRNA", "bio_rep": "replicate", "p_mito": "percent.mt"}
    var = pd.DataFrame({"gene_name": cells.var_names.to_numpy()}, index=[f"ENSG{i:011d}" for i in range(cells.n_vars)])
    return ad.AnnData(cells.layers["counts"].copy(), obs=cells.obs[list(names)].rename(columns=names), var=var)


def test_raw_counts_with_ensembl_ids_and_columns_of_other_names(tmp_path, capsys):
    cells = thp1()
    cells.write_h5ad(tmp_path / "thp1.h5ad")
    words = printed_command(capsys, tmp_path / "thp1.h5ad")
    audit = audited(capsys, [*words, *FAST], tmp_path / "out")
    parameters = audit["provenance"]["parameters"]
    assert parameters["normalize"] is True
    assert (parameters["groupby"], parameters["guide_key"]) == ("target_gene_name", "sgRNA")
    assert parameters["batch_key"] == ["replicate"]
    cells.var_names = cells.var.pop("gene_name").to_numpy()
    mdata = spb.tl.audit(
        cells,
        groupby="target_gene_name",
        batch_key="replicate",
        guide_key="sgRNA",
        normalize=True,
        models=(),
        regimes=("full",),
        covariates=(),
        n_random=0,
    )
    expected = spb.get.perturbations(mdata).set_index("perturbation")["target_z"].dropna()
    table = pd.read_csv(tmp_path / "out" / "tables" / "perturbations.csv", index_col="perturbation")
    pd.testing.assert_series_equal(table["target_z"].dropna(), expected, rtol=1e-6)
    assert expected["STAT1"] < -3


def conditions(cells: ad.AnnData) -> ad.AnnData:
    """Ids as labels, in a column without a telling name; symbols nowhere."""
    ids = {gene: f"ENSG{i:011d}" for i, gene in enumerate(cells.var["gene_name"])}
    labels = [ids.get(label, "NO-TARGET") for label in cells.obs["target_gene_name"]]
    return ad.AnnData(
        cells.X, obs=pd.DataFrame({"my label": labels}, index=cells.obs_names), var=pd.DataFrame(index=cells.var_names)
    )


def guides(cells: ad.AnnData) -> ad.AnnData:
    """Guides alone, with proportions for values."""
    x = cells.X.toarray() / cells.X.toarray().sum(axis=1, keepdims=True)
    obs = pd.DataFrame({"sg": cells.obs["sgRNA"].to_numpy()}, index=cells.obs_names)
    return ad.AnnData(x.astype(np.float32), obs=obs, var=cells.var)


def classes(cells: ad.AnnData) -> ad.AnnData:
    """Counts in a layer, z-scores in X, and the classes of Mixscape."""
    dense = cells.X.toarray()
    label = [f"{g} KO" if g != "non-targeting" else "NT" for g in cells.obs["target_gene_name"]]
    obs = pd.DataFrame({"mixscape_class": label, "day": "d6"}, index=cells.obs_names)
    return ad.AnnData(dense - dense.mean(axis=0), obs=obs, var=cells.var, layers={"raw counts": dense})


@pytest.mark.parametrize("of", [conditions, guides, classes])
def test_what_is_printed_runs(of, tmp_path, capsys):
    of(thp1()).write_h5ad(tmp_path / "a file.h5ad")
    words = printed_command(capsys, tmp_path / "a file.h5ad")
    audit = audited(capsys, [*words, *FAST], tmp_path / "out")
    assert audit["provenance"]["parameters"]["normalize"] is True
    targets = {target for row in audit["tables"]["labels"] for target in [row["targets"]] if target}
    assert len(targets) == (9 if of is conditions else 25)


def test_a_csv_of_changes_and_a_column_of_train_and_test(tmp_path, capsys):
    cells = spb.ds.simulate(2500, 200, 24, rng=1)
    means = cells.to_df().groupby(cells.obs["perturbation"].astype(str).to_numpy()).mean()
    changes = (means - means.loc["non-targeting"]).drop("non-targeting")
    test = changes.index[::2].tolist()
    cells.obs["set"] = np.where(cells.obs["perturbation"].isin(test), "test", "train")
    cells.write_h5ad(tmp_path / "k562.h5ad")
    changes.loc[test].to_csv(tmp_path / "mine.csv")
    words = printed_command(capsys, tmp_path / "k562.h5ad")
    assert words[-2:] == ["--split-key", "set"]
    given = ["--predictions", f"mine={tmp_path / 'mine.csv'}"]
    assert main([*words, *given, *FAST, "--out", str(tmp_path / "out")]) == 1
    assert "For changes from control, pass --kind delta" in capsys.readouterr().err
    audited(capsys, [*words, *given, "--kind", "delta", *FAST], tmp_path / "out")
    scores = pd.read_csv(tmp_path / "out" / "tables" / "scores.csv").query("model == 'mine'").dropna(subset="l2_ratio")
    assert sorted(scores["perturbation"]) == sorted(test)
    assert (scores["l2_ratio"] < 1e-3).all()
    # The same from Python, where one model has arguments of its own.
    quick = {"models": ("mean",), "regimes": ("full",), "n_random": 0, "split_key": "set", "covariates": ()}
    predictions = {"mine": {"predictions": changes.loc[test], "kind": "delta"}}
    mdata = spb.tl.audit(cells, predictions=predictions, **quick)
    assert (spb.get.scores(mdata, models="mine")["l2_ratio"].dropna() < 1e-3).all()


def test_a_gene_twice_in_the_header_of_a_csv(tmp_path, capsys):
    cells = spb.ds.simulate(600, 60, 4, rng=1)
    cells.write_h5ad(tmp_path / "x.h5ad")
    table = cells.to_df().groupby(cells.obs["perturbation"].astype(str).to_numpy()).mean()
    table.columns = [table.columns[1], *table.columns[1:]]
    table.to_csv(tmp_path / "p.csv")
    assert main(["audit", str(tmp_path / "x.h5ad"), "--predictions", f"p={tmp_path / 'p.csv'}", "--quiet"]) == 1
    assert f"Gene names repeat in p.csv ({table.columns[0]})" in capsys.readouterr().err
