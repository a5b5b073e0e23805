"""Everything stored comes back from h5ad and zarr as it went in."""

import warnings

import anndata as ad
import mudata as md
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from scpertbias import _compat, _store

FORMATS = ["h5ad", "zarr"]


@pytest.fixture
def adata():
    obs = pd.DataFrame(index=[f"c{i}" for i in range(4)])
    return AnnData(np.ones((4, 3), dtype=np.float32), obs=obs, var=pd.DataFrame(index=["A", "B", "C"]))


def again(adata, path, form):
    """Write and read."""
    if form == "h5ad":
        adata.write_h5ad(path / "x.h5ad")
        return ad.read_h5ad(path / "x.h5ad")
    adata.write_zarr(path / "x.zarr")
    return ad.read_zarr(path / "x.zarr")


def frozen(adata):
    """What could be changed by mistake."""
    return (
        sorted(filter(None, adata.layers)),
        sorted(adata.varm),
        sorted(adata.obsm),
        repr(adata.uns),
        adata.obs.columns.tolist(),
    )


# --- tables ---

TABLE = pd.DataFrame(
    {
        "perturbation": ["A+B", "A/B", None, "β"],
        "missing": [None, np.nan, pd.NA, "x"],
        "note": [None] * 4,
        "category": pd.Categorical(["b", None, "a", "b"]),
        "numbered": pd.Categorical([3, 1, 2, 3]),
        "yes": [True, False, True, True],
        "maybe": [True, None, False, np.nan],
        "numpy_bool": pd.Series([np.True_, np.False_, None, None], dtype=object),
        "n": [1, 2, 3, 4],
        "share": [0.1, np.nan, -1.0, np.inf],
        "mixed_numbers": pd.Series([1, 2.5, None, 3], dtype=object),
        "string": pd.array(["a", None, "b", "c"], dtype="string"),
        "gaps": pd.array([True, None, False, True], dtype="boolean"),
    }
).set_axis(["r1", "r2", "r2", "r3"])
TEXT = {
    "perturbation": ["A+B", "A/B", "", "β"],
    "missing": ["", "", "", "x"],
    "note": [""] * 4,
    "category": ["b", "", "a", "b"],
    "numbered": ["3", "1", "2", "3"],
    "string": ["a", "", "b", "c"],
}


@pytest.mark.parametrize("form", FORMATS)
def test_tables(adata, tmp_path, form):
    before = TABLE.copy(deep=True)
    _store.put(adata, scores=TABLE)
    pd.testing.assert_frame_equal(TABLE, before)
    stored = _store.root(adata)["scores"]
    assert isinstance(stored.index, pd.RangeIndex)
    assert not [c for c in stored if stored[c].dtype == object]
    here, back = (_store.table(x, "scores", made_by="spb.tl.score") for x in (adata, again(adata, tmp_path, form)))
    assert list(back.columns) == list(TABLE.columns)
    for name, values in TEXT.items():
        assert back[name].tolist() == here[name].tolist() == values, name
        assert all(isinstance(v, str) for v in back[name])
    for found in (here, back):
        assert found["yes"].tolist() == [True, False, True, True]
        assert found["maybe"].dtype == found["numpy_bool"].dtype == found["gaps"].dtype == "boolean"
        assert found["maybe"].isna().tolist() == [False, True, False, True]
        assert found["numpy_bool"][:2].tolist() == [True, False]
        assert found["n"].dtype == np.int64
        np.testing.assert_array_equal(found["share"], TABLE["share"])
        np.testing.assert_array_equal(found["mixed_numbers"], [1, 2.5, np.nan, 3])
        assert found.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "frame", [TABLE[:0], pd.DataFrame({"regime": [], "reason": []}), pd.DataFrame(columns=["a", "b"])]
)
def test_empty_tables(adata, tmp_path, form, frame):
    frame = frame.astype({c: object for c in frame if c in {"regime", "reason"}})
    _store.put(adata, x=frame)
    back = _store.table(again(adata, tmp_path, form), "x", made_by="y")
    assert list(back.columns) == list(frame.columns)
    assert len(back) == 0


def test_empty_text_is_text(adata):
    _store.put(adata, x=pd.DataFrame({"reason": pd.Series([], dtype=object)}))
    assert isinstance(_store.root(adata)["x"]["reason"].dtype, pd.CategoricalDtype)


def test_a_table_with_things_is_refused(adata):
    with pytest.raises(TypeError, match="Column 'target' contains tuple"):
        _store.put(adata, x=pd.DataFrame({"target": [("A", "B"), ("C",)]}))
    assert "scpertbias" not in adata.uns


def test_a_table_read_is_a_copy(adata):
    _store.put(adata, x=TABLE)
    found = _store.table(adata, "x", made_by="y")
    found["n"] = 0
    assert _store.table(adata, "x", made_by="y")["n"].tolist() == [1, 2, 3, 4]


def test_a_missing_table_names_what_makes_it(adata):
    with pytest.raises(KeyError, match=r"There is no table 'recurrence'. Run spb.tl.recurrence first"):
        _store.table(adata, "recurrence", made_by="spb.tl.recurrence")
    assert not _store.has_table(adata, "recurrence")
    _store.put(adata, recurrence=TABLE)
    assert _store.has_table(adata, "recurrence")
    _store.put(adata, recurrence=None)
    assert not _store.has_table(adata, "recurrence")


def test_tables_of_an_audit(adata, tmp_path):
    mdata = _compat.mudata({"full": adata, "no_mt": adata[:, :2].copy()})
    _store.put(mdata, scores=TABLE, record={"models": ("a", "b")})
    path = str(tmp_path / "x.h5mu")
    _compat.write_h5mu(mdata, path)
    back = _compat.read_h5mu(path)
    assert isinstance(back, md.MuData)
    assert _store.table(back, "scores", made_by="x")["perturbation"].tolist() == TEXT["perturbation"]
    assert _store.root(back)["record"]["models"].tolist() == ["a", "b"]


# --- dicts ---

RECORD = {
    "kind": "ridge",
    "alpha": 0.1,
    "n": 3,
    "flag": True,
    "nothing": None,
    "text": ("A+B", "C/D"),
    "gaps": ["a", None],
    "empty": [],
    "numbers": (1, 2.5),
    "flags": [True, False],
    "matrix": [[1.0, 2.0], [3.0, 4.0]],
    "array": np.arange(3),
    "objects": np.array(["x", "yy"], dtype=object),
    "index": pd.Index(["p", "q"]),
    "series": pd.Series([1.0, 2.0]),
    "set": {"b", "a"},
    "numpy": np.float32(0.5),
    "rng": np.random.default_rng(0),
    "nested": {"deeper": {"values": (1, 2)}},
    "table": pd.DataFrame({"name": ["a", None]}),
}


@pytest.mark.parametrize("form", FORMATS)
def test_records(adata, tmp_path, form):
    _store.put(adata, record=RECORD)
    back = _store.root(again(adata, tmp_path, form))["record"]
    assert set(back) == set(RECORD)
    assert back["kind"] == "ridge"
    assert (float(back["alpha"]), int(back["n"]), bool(back["flag"])) == (0.1, 3, True)
    assert back["nothing"] is None
    assert back["rng"] is None
    for name, values in {
        "text": ["A+B", "C/D"],
        "gaps": ["a", ""],
        "empty": [],
        "numbers": [1.0, 2.5],
        "flags": [True, False],
        "matrix": [[1.0, 2.0], [3.0, 4.0]],
        "array": [0, 1, 2],
        "objects": ["x", "yy"],
        "index": ["p", "q"],
        "series": [1.0, 2.0],
        "set": ["a", "b"],
    }.items():
        assert np.asarray(back[name]).tolist() == values, name
    assert back["nested"]["deeper"]["values"].tolist() == [1, 2]
    assert back["table"]["name"].tolist() == ["a", ""]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"A/B": 1}, ValueError, r"\['A/B'\] cannot be stored as names.*Rename them"),
        ({"x": {"": 1}}, ValueError, "cannot be stored as names"),
        ({"x": object()}, TypeError, "A object cannot be stored"),
        ({"x": ["a", 1]}, TypeError, "mixes text with other types"),
        ({"x": [{"a": 1}]}, TypeError, "cannot be stored"),
    ],
)
def test_what_cannot_be_stored(adata, value, error, message):
    with pytest.raises(error, match=message):
        _store.put(adata, record=value)
    assert frozen(adata)[3] == frozen(AnnData(adata.X))[3]


def test_put_keeps_the_rest(adata):
    adata.uns["mine"] = 1
    _store.put(adata, a={"x": 1})
    _store.put(adata, b={"y": 2})
    assert set(_store.root(adata)) == {"a", "b"}
    assert adata.uns["mine"] == 1


# --- keys ---


@pytest.mark.parametrize("key", ["", "a/b", ".", "..", None, 3])
def test_bad_keys(adata, key):
    before = frozen(adata)
    with pytest.raises(ValueError, match=r"`key_added` is .*a name that contains no '/'"):
        _store.check_key(adata, key)
    assert frozen(adata) == before


@pytest.mark.parametrize("key", ["counts", "half_1", "half_2", "var", "mean", "loadings"])
def test_slots_of_others_are_refused(adata, key):
    adata.layers["mean"] = adata.X.copy()
    adata.varm["loadings"] = np.ones((3, 1))
    before = frozen(adata)
    for put in (_put_model, lambda a, k: _store.put_layer(a, k, a.X, {})):
        with pytest.raises(
            ValueError, match=rf"`key_added='{key}'` is already the name of an entry that scpertbias did not write"
        ):
            put(adata, key)
    assert frozen(adata) == before


def _put_model(adata, key="ridge", attributions=None, **record):
    _store.put_model(
        adata,
        key,
        rows=np.array([1, 0, -1, 1]),
        predictions=np.array([[1.0, 2, 3], [4, 5, 6]]),
        attributions=attributions,
        record={"kind": "ridge", **record},
    )


def test_own_slots_are_written_again(adata):
    _put_model(adata, attributions=np.ones((3, 2)))
    _put_model(adata, note="second")
    assert _store.models(adata)["ridge"]["note"] == "second"
    assert not _store.has_varm(adata, "ridge"), "attributions of the first fit are left"
    _store.put_layer(adata, "ridge", adata.X, {"kind": "regressed"})
    assert _store.models(adata) == {}
    assert _store.layer_record(adata, "ridge") == {"kind": "regressed"}
    _put_model(adata)
    assert _store.layer_record(adata, "ridge") is None
    assert list(_store.models(adata)) == ["ridge"]


# --- models ---


@pytest.mark.parametrize("form", FORMATS)
def test_models(adata, tmp_path, form):
    _put_model(adata, attributions=np.arange(6.0).reshape(3, 2), columns=("A+B", "C/D"), seed=None)
    back = again(adata, tmp_path, form)
    layer = _store.matrix(back, "ridge")
    assert layer.dtype == np.float32
    np.testing.assert_array_equal(layer, [[4, 5, 6], [1, 2, 3], [np.nan] * 3, [4, 5, 6]])
    np.testing.assert_array_equal(_store.attributions(back, "ridge"), np.arange(6).reshape(3, 2))
    record = _store.models(back)["ridge"]
    assert record["columns"].tolist() == ["A+B", "C/D"]
    assert record["seed"] is None
    assert _store.attributions(back, "other") is None
    assert _store.has_layer(back, "ridge")


def test_a_record_that_cannot_be_stored_leaves_no_layer(adata):
    before = frozen(adata)
    with pytest.raises(TypeError, match="cannot be stored"):
        _put_model(adata, bad=object())
    with pytest.raises(TypeError, match="cannot be stored"):
        _store.put_layer(adata, "x", adata.X, {"bad": object()})
    assert frozen(adata) == before


@pytest.mark.parametrize("form", FORMATS)
def test_layers(adata, tmp_path, form):
    _store.put_layer(adata, "regressed", adata.X * 2, {"kind": "regressed", "covariates": ("a",)})
    back = again(adata, tmp_path, form)
    assert _store.layer_record(back, "regressed")["covariates"].tolist() == ["a"]
    assert _store.layer_record(back, None) is None
    assert _store.layer_record(back, "other") is None


# --- reading ---


def test_matrix(adata):
    adata.layers["a"] = sparse.csr_matrix(adata.X)
    assert _store.matrix(adata, None) is adata.X
    assert sparse.issparse(_store.matrix(adata, "a"))
    with pytest.raises(KeyError, match=r"`layer`: `adata` has no layer 'b'; choose from \['a'\]"):
        _store.matrix(adata, "b")
    with pytest.raises(ValueError, match=r"`adata.X` is empty. Pass layer="):
        _store.matrix(AnnData(obs=adata.obs, var=adata.var), None)


def test_obsm(adata):
    adata.obsm["pred"] = np.ones((4, 2))
    assert _store.obsm(adata, "pred").shape == (4, 2)
    with pytest.raises(KeyError, match=r"obsm has no entry 'x'; choose from \['pred'\]"):
        _store.obsm(adata, "x")


def test_rows_with_halves_and_no_record_are_an_error(adata):
    assert _store.profiles_record(adata) is None
    adata.layers["half_1"] = adata.X.copy()
    with pytest.raises(ValueError, match=r"layer 'half_1', as profiles do, .*ad.concat.*spb.pp.profiles"):
        _store.profiles_record(adata)


def test_profile_slots(adata):
    arrays = {"layers/a": np.ones((4, 3)), "varm/b": np.ones((3, 2)), "obsm/c": np.ones((4, 1))}
    _store.put_profile_slots(adata, arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(_store.profile_slot(adata, name), values)
    assert _store.profile_slot(adata, "obsm/other") is None


def test_reading_changes_nothing(adata):
    _put_model(adata)
    _store.root(adata)["models"] = None
    _store.models(adata)["ridge"]["kind"] = "other"
    assert _store.models(adata)["ridge"]["kind"] == "ridge"


# --- views ---


@pytest.mark.parametrize(
    "write",
    [
        _put_model,
        lambda a: _store.put(a, x=TABLE),
        lambda a: _store.put_layer(a, "x", a.X.copy(), {}),
        lambda a: _store.put_obs(a, "x", np.arange(4)),
        lambda a: _store.put_var(a, "x", np.arange(3)),
        lambda a: _store.put_profile_slots(a, {"varm/x": np.ones((3, 1))}),
    ],
)
def test_a_view_is_made_actual_without_a_word(write):
    parent = AnnData(np.ones((8, 3), dtype=np.float32))
    before = frozen(parent)
    view = parent[::2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(view)
    assert not view.is_view
    assert frozen(parent) == before


def test_a_model_is_dropped_with_all_that_it_stored(adata):
    for key in ("one", "two"):
        values = np.ones((2, adata.n_vars))
        _store.put_model(
            adata, key, rows=np.zeros(adata.n_obs, int), predictions=values, attributions=values.T, record={"kind": key}
        )
    _store.drop_model(adata, "one")
    assert list(_store.models(adata)) == ["two"]
    assert "one" not in adata.layers
    assert "one" not in adata.varm
    assert {"two"} <= set(adata.layers) & set(adata.varm)


def test_what_is_not_in_memory(adata, tmp_path):
    assert not _store.is_lazy(adata)
    adata.write_h5ad(tmp_path / "x.h5ad")
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    assert _store.is_lazy(backed)
    light = _store.light(backed, None)
    assert _store.is_lazy(light)
    assert not light.isbacked
    assert light.obs.equals(backed.obs)
    light.obs["new"] = 1
    assert "new" not in backed.obs
    backed.file.close()


def test_light_cells_have_one_matrix_and_know_how_it_was_made(adata):
    _store.put_layer(adata, "z", np.ones(adata.shape), {"kind": "mine"})
    light = _store.light(adata, "z")
    assert light.X is None
    assert list(light.layers) == ["z"]
    assert _store.layer_record(light, "z") == {"kind": "mine"}


@pytest.mark.parametrize(
    ("stated", "base"),
    [
        ({"base": 2}, 2.0),
        ({"base": np.float32(10)}, 10.0),
        ({"base": None}, None),
        ({}, None),
        (None, None),
        ("ln", None),
    ],
)
def test_the_base_of_the_logarithms_that_scanpy_notes(stated, base):
    adata = AnnData(np.ones((2, 2)))
    adata.uns["log1p"] = stated
    assert _store.log_base(adata) == base
    assert _store.log_base(_store.light(adata, None)) == base


# --- colors of models ---


@pytest.mark.parametrize("form", FORMATS)
def test_colors_of_models_come_back(adata, tmp_path, form):
    _store.put_model_colors(adata, {"ridge": "#FF0000", "mine β": "#00FF00"})
    assert _store.model_colors(again(adata, tmp_path, form)) == {"ridge": "#FF0000", "mine β": "#00FF00"}


def test_colors_of_a_view_leave_it_a_view(adata):
    view = adata[:2]
    _store.put_model_colors(view, {"ridge": "#FF0000"})
    assert view.is_view
    assert _store.model_colors(view) == {}


def test_colors_that_name_no_model(adata):
    adata.uns["model_colors"] = ["red", "blue"]
    with pytest.raises(TypeError, match=r"uns\['model_colors'\]` is a list; pass a mapping from model to color"):
        _store.model_colors(adata)


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_of_one_array_are_stacked_without_a_copy(axis):
    room = np.arange(40.0).reshape((2, 5, 4) if axis == 0 else (5, 2, 4))  # of which not all rows are used
    whole = room[:, :3] if axis == 0 else room[:3]
    names, adata = ["layers/a", "layers/b"], AnnData(np.zeros((3, 4)))
    assert _store.profile_stack(adata, names, axis) is None
    adata.layers["a"], adata.layers["b"] = np.moveaxis(whole, axis, 0)
    stack = _store.profile_stack(adata, names, axis)
    assert np.shares_memory(stack, whole)
    np.testing.assert_array_equal(stack, whole)
    np.testing.assert_array_equal(_store.profile_stack(adata, names[::-1], axis), np.flip(whole, axis))
    for other in (adata.copy(), adata[:, [0, 1, 2, 3]], adata[:, [2, 0]]):
        stack = _store.profile_stack(other, names, axis)
        assert not np.shares_memory(stack, whole)
        assert stack.flags.c_contiguous
        np.testing.assert_array_equal(stack, whole[..., [2, 0] if other.n_vars == 2 else slice(None)])
