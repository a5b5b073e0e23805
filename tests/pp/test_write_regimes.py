"""Files of cells for models that are trained elsewhere."""

import hashlib

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scpertbias as spb

COVARIATES = ["pct_counts_mt", "pct_counts_ribo"]


@pytest.fixture(scope="module")
def counts():
    """A screen as it comes: counts, batches, a combination, cells without a label, no split."""
    adata = spb.ds.simulate(900, 120, 6, n_batches=2, measured_targets=True, rng=2)
    labels = adata.obs["perturbation"].astype(str).to_numpy(object)
    names = sorted(set(labels) - {"non-targeting"})
    labels[labels == names[0]] = f"{names[2]}+{names[1]}"
    labels[:7] = np.nan
    raw = ad.AnnData(adata.layers["counts"].copy(), obs=adata.obs[["gem_group"]].copy(), var=adata.var[[]].copy())
    raw.obs["perturbation"] = labels
    raw.obs["condition"] = "day 3"
    raw.obs = raw.obs.join(adata.obs[COVARIATES])
    return raw


@pytest.fixture(scope="module")
def folder(counts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "out"
    regimes = ["full", "no_mt", "no_mt_ribo", "regressed"]
    table = spb.pp.write_regimes(
        counts,
        folder,
        regimes,
        n_random=2,
        batch_key="gem_group",
        normalize=True,
        covariates=COVARIATES,
        chunk_memory=1e-3,
    )
    assert table["regime"].tolist() == [*regimes, "random_1", "random_2"]
    return folder


@pytest.fixture(scope="module")
def files(folder):
    return {path.stem: ad.read_h5ad(path) for path in folder.glob("*.h5ad")}


def test_values_are_those_of_scanpy(counts, files):
    labelled = counts[counts.obs["perturbation"].notna()].copy()
    np.testing.assert_array_equal(files["full"].layers["counts"].toarray(), labelled.X.toarray())
    sc.pp.normalize_total(labelled, target_sum=1e4)
    sc.pp.log1p(labelled)
    assert files["full"].obs_names.equals(labelled.obs_names)
    for name, file in files.items():
        if name != "regressed":
            assert sparse.issparse(file.X)
            expected = labelled[:, file.var_names].X.toarray()
            np.testing.assert_allclose(file.X.toarray(), expected, rtol=1e-6)


def test_regressed_values_are_those_of_regress_mt_ribo(files):
    cells = files["full"].copy()
    spb.pp.regress_mt_ribo(cells, covariates=COVARIATES, batch_key="batch")
    np.testing.assert_allclose(files["regressed"].X, cells.layers["regressed"], atol=1e-5)
    spb.tl.fit_ridge(files["regressed"].copy(), batch_key="batch")  # negative values are known for what they are


def test_genes_of_each_regime(files, folder):
    full = files["full"].var
    sets = pd.read_csv(folder / "gene_sets.csv")
    genes = {name: set(full.index) - set(file.var_names) for name, file in files.items()}
    assert genes["no_mt"] == set(full.index[full["mt"]]) == set(sets.loc[sets["source"] == "mt", "target"])
    assert genes["no_mt_ribo"] == set(full.index[full["mt"] | full["ribo"]])
    assert genes["regressed"] == set()
    for name in ("random_1", "random_2"):
        assert len(genes[name]) == len(genes["no_mt_ribo"])
        assert not genes[name] & genes["no_mt_ribo"]
        assert genes[name] == set(sets.loc[sets["source"] == name, "target"])
    assert full["heat_shock"].dtype == bool


def test_labels_are_those_of_other_packages(counts, files, folder):
    table = pd.read_csv(folder / "perturbations_to_predict.csv").set_index("perturbation")
    pair = next(name for name in table.index if "+" in name)
    a, b = pair.split("+")
    single = next(name for name in table.index if "+" not in name)
    assert table.loc[pair, "condition"] == f"{a}+{b}"
    assert table.loc[single, "condition"] == f"{single}+ctrl"
    for file in files.values():
        obs = file.obs
        control = obs["perturbation"] == "non-targeting"
        assert set(obs.loc[control, "condition"]) == {"ctrl"}
        assert set(obs.loc[control, "target_gene"]) == {"non-targeting"}
        assert set(obs["condition_original"]) == {"day 3"}
        assert obs["batch"].astype(str).equals(counts.obs.loc[obs.index, "gem_group"].astype(str))
        assert file.var["gene_name"].tolist() == file.var_names.tolist()
        pd.testing.assert_series_equal(obs["split"], files["full"].obs["split"])
    written = pd.read_csv(folder / "splits.csv", index_col="cell")["split"]
    assert written.to_dict() == files["full"].obs["split"].astype(str).to_dict()
    of_cells = files["full"].obs.groupby("perturbation", observed=True)["split"].first()
    assert table["split"].to_dict() == of_cells[table.index].astype(str).to_dict()
    assert "test" in set(table["split"])


def test_checksums(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1] for line in lines} == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum


def test_a_file_is_read_in_parts_and_gives_the_same(counts, files, tmp_path):
    counts.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    options = {"batch_key": "gem_group", "normalize": True, "chunk_memory": 1e-3}
    table = spb.pp.write_regimes(backed, tmp_path / "out", ["full", "no_mt"], train_only=True, **options)
    backed.file.close()
    again = ad.read_h5ad(tmp_path / "out" / "no_mt.h5ad")
    trained = files["no_mt"][files["no_mt"].obs["split"] != "test"]
    assert again.obs_names.equals(trained.obs_names)
    np.testing.assert_array_equal(again.X.toarray(), trained.X.toarray())
    np.testing.assert_array_equal(again.layers["counts"].toarray(), trained.layers["counts"].toarray())
    assert table.loc[table["regime"] == "full", "n_cells"].item() == len(trained)
    assert "test" in set(pd.read_csv(tmp_path / "out" / "perturbations_to_predict.csv")["split"])


def test_the_audit_of_the_full_file_takes_what_was_trained_on_the_others(files, folder):
    tables = {}
    for name in ("full", "no_mt", "no_mt_ribo", "random_1", "random_2"):
        means = files[name].to_df().groupby(files[name].obs["perturbation"], observed=True).mean()
        tables[name] = means.drop(index="non-targeting") * 0.5 + means.loc["non-targeting"] * 0.5
    mdata = spb.tl.audit(
        files["full"],
        models=("mean",),
        batch_key="batch",
        predictions={"mine": tables},
        regimes=["no_mt_ribo", "no_mt"],
    )
    assert spb.get.random_removals(mdata).set_index("model").loc["mine", "n_random"] == 2


def test_log_normalized_cells_keep_their_counts(files, tmp_path):
    spb.pp.write_regimes(files["full"].copy(), tmp_path / "again", batch_key="batch")
    again = ad.read_h5ad(tmp_path / "again" / "no_mt_ribo.h5ad")
    np.testing.assert_array_equal(again.layers["counts"].toarray(), files["no_mt_ribo"].layers["counts"].toarray())
    np.testing.assert_array_equal(again.X.toarray(), files["no_mt_ribo"].X.toarray())
    assert not (tmp_path / "again" / "regressed.h5ad").exists()


def test_covariates_are_counted_where_there_are_none(counts, files, tmp_path):
    bare = counts.copy()
    bare.obs = bare.obs.drop(columns=COVARIATES)
    options = {"batch_key": "gem_group", "normalize": True, "covariates": COVARIATES}
    spb.pp.write_regimes(bare, tmp_path / "out", ["regressed"], **options)
    again = ad.read_h5ad(tmp_path / "out" / "regressed.h5ad")
    np.testing.assert_allclose(again.X, files["regressed"].X, atol=1e-4)


def test_what_is_refused(counts, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(ValueError, match=r"`folder`: .* is not empty"):
        spb.pp.write_regimes(counts, tmp_path / "mine", normalize=True)
    with pytest.raises(ValueError, match=r"'regressed' cannot be created for these data"):
        spb.pp.write_regimes(counts, tmp_path / "out", ["regressed"], batch_key="gem_group", normalize=True)
    by_gene = counts.copy()
    by_gene.X = by_gene.X.tocsc()
    by_gene.write_h5ad(tmp_path / "csc.h5ad")
    backed = ad.read_h5ad(tmp_path / "csc.h5ad", backed="r")
    with pytest.raises(ValueError, match=r"in CSC format"):
        spb.pp.write_regimes(backed, tmp_path / "out", batch_key="gem_group", normalize=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["csc.h5ad", "mine"]


def test_not_enough_room(counts, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1e5}))
    with pytest.raises(ValueError, match=r"'regressed' needs 0\.0 GB, but only 0\.0 GB are free"):
        spb.pp.write_regimes(
            counts, tmp_path / "out", ["regressed"], batch_key="gem_group", normalize=True, covariates=COVARIATES
        )
    assert not (tmp_path / "out").exists()
