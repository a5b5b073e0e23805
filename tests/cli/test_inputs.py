import anndata as ad
import numpy as np
import pandas as pd
import pytest
from mudata import MuData

import scpertbias as spb
from scpertbias import _compat, _store
from scpertbias._cli.inputs import (
    holds_counts,
    predictions_by_model,
    read_audit,
    read_cells,
    read_net,
    read_predictions,
)


@pytest.fixture
def screen():
    return spb.ds.simulate(300, 60, 3, rng=1)


def test_simulated_screens_tell_their_truth(screen, tmp_path):
    screen.write_h5ad(tmp_path / "x.h5ad")
    adata, truth = read_cells(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(adata.X.toarray(), screen.X.toarray())
    np.testing.assert_array_equal(truth["inert"], screen.uns["scpertbias_truth"]["inert"])


def test_other_screens_have_none(screen, tmp_path):
    del screen.uns["scpertbias_truth"]
    screen.write_h5ad(tmp_path / "x.h5ad")
    screen.write_zarr(tmp_path / "x.zarr")
    for name in ("x.h5ad", "x.zarr"):
        adata, truth = read_cells(tmp_path / name)
        assert adata.shape == screen.shape
        assert truth is None


def test_files_that_cannot_be_read_are_named(screen, tmp_path):
    path = tmp_path / "x.h5ad"
    with pytest.raises(FileNotFoundError, match=r"x\.h5ad does not exist"):
        read_cells(path)
    screen.write_h5ad(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"x\.h5ad cannot be read; the file may be incomplete"):
        read_cells(path)
    path.write_text("text")
    with pytest.raises(ValueError, match=r"x\.h5ad cannot be read"):
        read_cells(path)


def test_tables(tmp_path):
    net = pd.DataFrame({"source": ["A"], "target": ["B"], "weight": [0.5]})
    net.to_csv(tmp_path / "net.csv", index=False)
    net.to_csv(tmp_path / "net.tsv", index=False, sep="\t")
    for name in ("net.csv", "net.tsv"):
        pd.testing.assert_frame_equal(read_net(tmp_path / name), net)
    predictions = pd.DataFrame([[1.0, 2.0]], index=["A"], columns=["g1", "g2"])
    predictions.to_csv(tmp_path / "p.csv")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "p.csv"), predictions)


def test_predictions_by_model_and_regime(tmp_path):
    table = pd.DataFrame([[1.0, 2.0]], index=["A"], columns=["g1", "g2"])
    for name in ("a", "b"):
        table.to_csv(tmp_path / f"{name}.csv")
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    files = [("mine", a), ("mine@no_mt", b), ("mine@full#2", a), ("other", b)]
    by_model = predictions_by_model(files, {"kind": "delta"})
    assert list(by_model["mine"]) == ["full", "no_mt", "full#2"]
    assert by_model["mine"]["no_mt"]["kind"] == by_model["other"]["kind"] == "delta"
    pd.testing.assert_frame_equal(by_model["other"]["predictions"], table)
    with pytest.raises(ValueError, match=r"--predictions mine@full is passed twice"):
        predictions_by_model([("mine", a), ("mine@full", b)], {})


def test_predictions_may_be_cells(screen, tmp_path):
    screen.write_h5ad(tmp_path / "x.h5ad")
    assert read_predictions(tmp_path / "x.h5ad").shape == screen.shape


def test_stored_audit(small_audit, tmp_path):
    _compat.write_h5mu(small_audit, str(tmp_path / "a.h5mu"))
    again = read_audit(tmp_path / "a.h5mu")
    pd.testing.assert_frame_equal(spb.get.summary(again), spb.get.summary(small_audit))


def test_what_is_no_audit_is_said_to_be_so(screen, tmp_path):
    screen.write_h5ad(tmp_path / "x.h5ad")
    with pytest.raises(ValueError, match=r"x\.h5ad cannot be read"):
        read_audit(tmp_path / "x.h5ad")


def test_counts_are_recognized(screen):
    assert not holds_counts(screen, None)
    assert holds_counts(screen, "counts")


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
@pytest.mark.parametrize("layer", [None, "counts", "standardized"])
def test_a_matrix_above_the_memory_stays_in_the_file(screen, tmp_path, suffix, layer):
    spb.pp.standardize(screen)
    path = tmp_path / f"x.{suffix}"
    screen.write_h5ad(path) if suffix == "h5ad" else screen.write_zarr(path)
    adata, truth = read_cells(path, layer=layer, memory=1e-6)
    assert truth is not None
    assert _store.is_lazy(adata)
    assert (adata.X is None) == (layer is not None)
    assert adata.obs["perturbation"].tolist() == screen.obs["perturbation"].tolist()
    assert holds_counts(adata, layer) == (layer == "counts")
    found = spb.pp.profiles(adata, layer=layer, normalize=layer == "counts")
    expected = spb.pp.profiles(screen, layer=layer, normalize=layer == "counts")
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-6, atol=1e-9)
    assert not _store.is_lazy(read_cells(path, layer=layer, memory=1.0)[0])


@pytest.mark.filterwarnings("ignore")
def test_a_modality_is_read(screen, tmp_path):
    guides = ad.AnnData(np.ones((screen.n_obs, 3)), obs=screen.obs[[]])
    _compat.write_h5mu(MuData({"rna": screen, "gdo": guides}), str(tmp_path / "x.h5mu"))
    adata, _ = read_cells(tmp_path / "x.h5mu")
    assert adata.shape == screen.shape
    assert adata.obs["perturbation"].tolist() == screen.obs["perturbation"].tolist()
    assert read_cells(tmp_path / "x.h5mu", modality="gdo")[0].n_vars == 3
    on_disk, _ = read_cells(tmp_path / "x.h5mu", memory=0)
    assert on_disk.shape == screen.shape
    with pytest.raises(ValueError, match="the file has no modality 'x'"):
        read_cells(tmp_path / "x.h5mu", modality="x")
