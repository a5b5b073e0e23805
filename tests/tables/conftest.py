"""An audit with every table, and what a stored table is held against."""

import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store

OF_PROFILES = ("enrich", "metric")


@pytest.fixture(scope="session")
def stored():
    """Every table of an audit of the bundled screen, and of the questions that are asked apart."""
    mdata = spb.tl.audit(
        spb.ds.papalexi_2021(),
        batch_key="bio_rep",
        covariates=["p_mito"],
        models=("no_change", "mean", "ridge", "grn_linear", "bilinear"),
        n_random=2,
    )
    spb.tl.coupling(mdata)
    spb.tl.enrich(mdata["full"])
    spb.tl.metric(mdata["full"], lambda x, y, c: ((x - y) ** 2).mean(axis=1), name="mse", best="lower", n_boot=10)
    cells = spb.ds.papalexi_2021()
    spb.tl.calibrate(cells, n_screens=1, batch_key="bio_rep", covariates=())
    _store.put(mdata, calibration=spb.get.calibration(cells))
    held = {**_store.root(mdata), **{name: _store.root(mdata["full"])[name] for name in OF_PROFILES}}
    names = [name for name, value in held.items() if isinstance(value, pd.DataFrame)]
    return {name: _store.table(mdata["full"] if name in OF_PROFILES else mdata, name, made_by="") for name in names}


@pytest.fixture
def as_declared(stored):
    """Hold a table against its declaration: columns, their order, dtypes and values."""

    def compare(table):
        frame = stored[table.name]
        columns = table.in_audit()
        assert list(frame.columns) == [column.name for column in columns]
        for column in columns:
            values = frame[column.name]
            if column.dtype == "str":
                assert pd.api.types.infer_dtype(values) in ("string", "empty"), column.name
            else:
                assert str(values.dtype) == column.dtype, column.name
            assert not column.values or set(values) <= set(column.values), column.name

    return compare
