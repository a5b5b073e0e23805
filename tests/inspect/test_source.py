"""Files of every kind are looked at without anndata; what is read is what anndata would read."""

import subprocess
import sys

import anndata as ad
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpertbias import _compat
from scpertbias._inspect.source import modality_of, of_anndata, opened


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (60, 7)).astype(np.float32)
    obs = pd.DataFrame(
        {
            "gene": pd.Categorical(rng.choice(["NT", "A", "B"], 60)),
            "text": rng.choice(["x", "é/y"], 60),
            "number": rng.normal(size=60),
            "whole": np.arange(60),
            "flag": rng.random(60) < 0.5,
            "gaps": pd.Categorical([None, "a", "b"] * 20),
            "nullable": pd.array([1, None, 3] * 20, dtype="Int64"),
        },
        index=[f"cell{i}" for i in range(60)],
    )
    var = pd.DataFrame({"gene_name": [f"S{i}" for i in range(7)]}, index=[f"ENSG{i:011d}" for i in range(7)])
    return ad.AnnData(
        sparse.csr_matrix(counts),
        obs=obs,
        var=var,
        layers={"dense": np.log1p(counts), "csc": sparse.csc_matrix(counts)},
    )


def write(cells, path):
    if path.suffix == ".zarr":
        cells.write_zarr(path)
    elif path.suffix == ".h5mu":
        _compat.write_h5mu(
            mudata.MuData({"rna": cells, "gdo": ad.AnnData(np.ones((60, 2)), obs=cells.obs[[]])}), str(path)
        )
    else:
        cells.write_h5ad(path, compression="gzip")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".h5ad", ".zarr", ".h5mu"])
def test_a_file_is_what_was_written(cells, tmp_path, suffix):
    write(cells, tmp_path / f"x{suffix}")
    with opened(tmp_path / f"x{suffix}") as source:
        assert (source.kind, source.n_obs, source.n_vars) == (suffix[1:], 60, 7)
        assert source.var_names().tolist() == cells.var_names.tolist()
        assert list(source.obs) == list(cells.obs.columns)
        for name, read in source.obs.items():
            read_values, values = read(), cells.obs[name].reset_index(drop=True)
            assert read_values.isna().tolist() == values.isna().tolist(), name
            assert read_values.dropna().tolist() == values.dropna().tolist(), name
        assert source.var["gene_name"]().tolist() == cells.var["gene_name"].tolist()
        assert sorted(source.matrices) == ["X", "layers/csc", "layers/dense"]
        x = source.matrices["X"]()
        assert (x.form, x.rows.shape) == ("CSR", (60, 7)) if len(x.rows) == 60 else x.form == "CSR"
        rows = {tuple(row) for row in x.rows.tolist()}
        assert rows == {tuple(row) for row in cells.X.toarray().tolist()}
        assert source.matrices["layers/dense"]().rows.max() == pytest.approx(np.log1p(cells.X.max()))
        assert source.matrices["layers/csc"]().rows.max() == cells.X.max()
        assert not source.made_here
        assert dict(source.others) == ({"gdo": (60, 2)} if suffix == ".h5mu" else {})


@pytest.mark.parametrize("backed", [False, True])
def test_an_anndata_is_looked_at_as_a_file_is(cells, tmp_path, backed):
    if backed:
        write(cells, tmp_path / "x.h5ad")
        cells = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    source = of_anndata(cells)
    assert (source.n_obs, source.n_vars) == (60, 7)
    assert source.matrices["X"]().rows.shape[1] == 7
    assert source.obs["gene"]().tolist() == cells.obs["gene"].tolist()


def test_cell_ranger(tmp_path):
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(1, (50, 4)))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = [f"AAAC{i}-1".encode() for i in range(50)]
        group["shape"] = [4, 50]
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(counts, name)
        group["features/name"] = [b"MT-CO1", b"STAT1", b"JAK2", b"STAT1_sg1"]
        group["features/id"] = [b"ENSG1", b"ENSG2", b"ENSG3", b"g1"]
        group["features/feature_type"] = [b"Gene Expression"] * 3 + [b"CRISPR Guide Capture"]
    with opened(tmp_path / "x.h5") as source:
        assert (source.kind, source.n_obs, source.n_vars) == ("10x h5", 50, 4)
        assert source.var_names().tolist() == ["MT-CO1", "STAT1", "JAK2", "STAT1_sg1"]
        assert source.matrices["X"]().rows.max() == counts.max()
        assert source.var["feature_types"]().tolist()[-1] == "CRISPR Guide Capture"


@pytest.mark.filterwarnings("ignore")
def test_modalities(cells, tmp_path):
    write(cells, tmp_path / "x.h5mu")
    with h5py.File(tmp_path / "x.h5mu") as file:
        assert modality_of(file, None) == "rna"
        assert modality_of(file, "gdo") == "gdo"
        with pytest.raises(ValueError, match=r"the file has no modality 'x'; choose from \['gdo', 'rna'\]"):
            modality_of(file, "x")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must end in .h5ad"), opened(tmp_path / "x.csv"):
        pass
    with pytest.raises(FileNotFoundError), opened(tmp_path / "x.h5ad"):
        pass
    (tmp_path / "x.h5ad").write_text("text")
    with pytest.raises(ValueError, match="cannot be read"), opened(tmp_path / "x.h5ad"):
        pass
    with h5py.File(tmp_path / "y.h5ad", "w") as file:
        file["a"] = [1]
    with pytest.raises(ValueError, match="cannot be read"), opened(tmp_path / "y.h5ad"):
        pass


TIMED = """
import resource, sys
from scpertbias._cli.main import main
main(["inspect", sys.argv[1]])
assert not {"scanpy", "anndata", "matplotlib"} & set(sys.modules)
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime, file=sys.stderr)
"""


def test_a_large_file_is_looked_at_at_once(tmp_path):
    n, n_genes = 300_000, 8_000
    rng = np.random.default_rng(0)
    labels = ["non-targeting", *(f"GENE{i}" for i in range(2_000))]
    with h5py.File(tmp_path / "large.h5ad", "w") as file:
        file.create_dataset(
            "X", shape=(n, n_genes), chunks=(100, n_genes), dtype="f4"
        )  # what is not written takes no room
        for table, size, names in (("obs", n, "cell"), ("var", n_genes, "GENE")):
            file.create_group(table).attrs.update({"_index": "_index", "column-order": np.array([], dtype="S1")})
            file[table]["_index"] = np.array([f"{names}{i}" for i in range(size)], dtype="S12")
        file["obs"].attrs["column-order"] = np.array(["gene", "batch"], dtype="S10")
        for name, levels in (("gene", labels), ("batch", [f"b{i}" for i in range(5)])):
            column = file["obs"].create_group(name)
            column["codes"] = rng.integers(0, len(levels), n).astype("i4")
            column["categories"] = np.array(levels, dtype="S20")
            column.attrs["encoding-type"] = "categorical"
    assert (tmp_path / "large.h5ad").stat().st_size < 2e7
    seconds = []
    for _ in range(3):  # the best of three: a busy machine slows single ones
        run = subprocess.run(
            [sys.executable, "-c", TIMED, str(tmp_path / "large.h5ad")], capture_output=True, text=True, check=True
        )
        assert "--groupby gene --batch batch" in run.stdout
        seconds.append(float(run.stderr.splitlines()[-1]))
        if min(seconds) < 2:
            break
    assert min(seconds) < 2
