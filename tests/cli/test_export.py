"""`scpertbias export`: cells of each regime, as files."""

import anndata as ad
import numpy as np
import pytest

import scpertbias as spb
from scpertbias._cli.main import main


@pytest.fixture
def screen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    adata = spb.ds.simulate(700, 80, 6, measured_targets=True, rng=4)
    raw = ad.AnnData(adata.layers["counts"].copy(), obs=adata.obs[["perturbation"]].copy(), var=adata.var[[]].copy())
    raw.write_h5ad("screen.h5ad")
    return tmp_path


def test_export(screen, capsys):
    options = ["--regimes", "full,no_mt_ribo,regressed", "--n-random", "1", "--train-only"]
    assert main(["export", "screen.h5ad", *options, "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert (
        "the regime 'regressed' is stored dense, so its file needs 0.00 GB (700 cells × 80 genes × 4 bytes)" in printed
    )
    out = screen / "screen_regimes"
    files = {path.name for path in out.iterdir()}
    assert {f"{name}.h5ad" for name in ("full", "no_mt_ribo", "regressed", "random_1")} < files
    assert "no_mt.h5ad" not in files
    assert all(str(out.relative_to(screen) / name) in printed for name in files)
    full = ad.read_h5ad(out / "full.h5ad")
    assert "test" not in set(full.obs["split"])
    assert ad.read_h5ad(out / "random_1.h5ad").n_vars == ad.read_h5ad(out / "no_mt_ribo.h5ad").n_vars
    assert np.array_equal(full.layers["counts"].data, np.round(full.layers["counts"].data))


def test_what_is_there_is_replaced_only_by_force(screen, capsys):
    argv = ["export", "screen.h5ad", "--out", "out", "--regimes", "full", "--quiet"]
    assert main(argv) == 0
    assert main(argv) == 2
    assert (
        "out is not empty; choose another folder, or pass --force to replace an earlier export"
        in capsys.readouterr().err
    )
    assert main([*argv, "--force"]) == 0
    (screen / "out" / "notes.txt").touch()
    assert main([*argv, "--force"]) == 2
    assert "contains files that do not belong to an export (notes.txt)" in capsys.readouterr().err


def test_a_file_larger_than_memory_keeps_its_counts(screen):
    adata = spb.ds.simulate(700, 80, 6, measured_targets=True, rng=4)
    adata.write_h5ad("logged.h5ad")
    for memory, out in (("0", "parts"), ("4", "whole")):
        argv = ["export", "logged.h5ad", "--memory", memory, "--regimes", "no_mt", "--out", out, "--quiet"]
        assert main(argv) == 0
    parts, whole = (ad.read_h5ad(screen / out / "no_mt.h5ad") for out in ("parts", "whole"))
    for values in ("X", "counts"):
        one, other = ((file.X if values == "X" else file.layers[values]).toarray() for file in (parts, whole))
        np.testing.assert_array_equal(one, other)
