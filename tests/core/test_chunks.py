"""What is read in parts is what lies there, in bounded parts."""

import threading

import anndata as ad
import dask.array as da
import h5py
import numpy as np
import pytest
import zarr
from scipy import sparse

from scpertbias._core.chunks import by_genes, chunks, is_lazy, some_columns

N, G = 900, 30


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.poisson(0.5, (N, G)) * (np.arange(N)[:, None] % 7 > 0)).astype(np.float32)


@pytest.fixture(scope="module")
def sources(x, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunks")
    file = h5py.File(folder / "x.h5", "w")
    group = zarr.open_group(folder / "x.zarr", mode="w", zarr_format=2)
    for store in (file, group):
        for name, values in {"csr": sparse.csr_matrix(x), "csc": sparse.csc_matrix(x), "dense": x}.items():
            ad.io.write_elem(store, name, values)
    file.create_dataset("tiles", data=x, chunks=(64, 8))
    made = {f"h5 {name}": ad.io.sparse_dataset(file[name]) for name in ("csr", "csc")}
    made |= {f"zarr {name}": ad.io.sparse_dataset(group[name]) for name in ("csr", "csc")}
    made |= {"h5 dense": file["dense"], "h5 tiles": file["tiles"], "zarr dense": group["dense"]}
    rows = da.from_array(x, chunks=(100, -1))
    made |= {"dask rows": rows, "dask tiles": da.from_array(x, chunks=((300, 1, 599), (10, 20)))}
    made |= {"dask genes": da.from_array(x, chunks=(-1, 7)), "dask coo": rows.map_blocks(sparse.coo_array)}
    made |= {"dask csr": rows.map_blocks(sparse.csr_array)}
    yield made
    file.close()


NAMES = [f"{a} {b}" for a in ("h5", "zarr") for b in ("csr", "csc", "dense")]
NAMES += ["h5 tiles", *(f"dask {kind}" for kind in ("rows", "tiles", "genes", "coo", "csr"))]


def dense(block):
    return block.toarray() if sparse.issparse(block) else block


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_bytes", [1, 40_000, 1e9])
def test_every_value_comes_once(sources, x, name, n_bytes):
    source, found = sources[name], np.zeros((N, G), dtype=np.float32)
    assert is_lazy(source)
    for chunk in chunks(source, n_bytes=n_bytes):
        assert isinstance(chunk.x, np.ndarray) or chunk.x.format in ("csr", "csc")
        found[chunk.rows, chunk.genes] += dense(chunk.x)
        assert (chunk.rows == slice(0, N)) if by_genes(source) else (chunk.genes == slice(0, G))
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("dask")])
def test_two_chunks_fit_in_the_memory(sources, name):
    n_bytes = 40_000
    parts = list(chunks(sources[name], n_bytes=n_bytes))
    assert len(parts) > 2
    for chunk in parts:
        size = chunk.x.nbytes if isinstance(chunk.x, np.ndarray) else chunk.x.data.nbytes + chunk.x.indices.nbytes
        assert size <= n_bytes / 2


def test_blocks_of_dask_are_not_cut(sources):
    assert [c.rows.stop for c in chunks(sources["dask tiles"], n_bytes=1)] == [300, 301, 900]
    assert [c.rows.stop for c in chunks(sources["dask rows"], n_bytes=80_000)] == [200, 500, 800, 900]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_what_lies_in_memory_comes_at_once(x, form):
    values = form(x)
    assert not is_lazy(values)
    (chunk,) = chunks(values, n_bytes=1)
    assert chunk.x is values


def test_the_next_chunk_is_read_ahead_and_no_more(x):
    seen = []

    class Rows:
        shape, dtype, ndim, chunks = x.shape, x.dtype, 2, None

        def __getitem__(self, part):
            seen.append((part.start, threading.current_thread() is threading.main_thread()))
            return x[part]

    reading = chunks(Rows(), n_bytes=2 * 100 * G * 4)
    next(reading)
    reading.close()
    assert [start for start, _ in seen] == [0, 100]
    assert not any(main for _, main in seen)


def test_an_error_in_reading_is_raised():
    class Broken:
        shape, dtype, ndim, chunks = (10, 3), np.dtype(float), 2, None

        def __getitem__(self, part):
            msg = "cut short"
            raise OSError(msg)

    with pytest.raises(OSError, match="cut short"):
        list(chunks(Broken(), n_bytes=100))


def test_some_columns_of_every_source(x, sources):
    columns = np.array([0, 3, 4, 29])
    for name, source in sources.items():
        if name == "dask coo":
            continue  # its blocks cannot be cut
        part = some_columns(source, columns)
        assert part.shape == (N, 4), name
        read = [chunk.x for chunk in chunks(part, n_bytes=20_000)]
        read = [r.toarray() if sparse.issparse(r) else np.asarray(r) for r in read]
        axis = 1 if by_genes(part) else 0
        np.testing.assert_array_equal(np.concatenate(read, axis=axis), x[:, columns], err_msg=name)
