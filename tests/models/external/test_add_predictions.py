"""Predictions of other models, in the layouts in which their makers leave them."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpertbias as spb

GENES = np.array(["STAT1", "IRF1", "JAK2", *(f"GENE{i}" for i in range(37))])
LABELS = ["IRF1", "IRF1+STAT1", "JAK2", "SPI1", "STAT1"]  # as the data name them
CONTROL = "non-targeting"


def make_cells() -> ad.AnnData:
    rng = np.random.default_rng(0)
    base = rng.gamma(1.0, 1.0, len(GENES)) + 0.05
    labels = np.repeat([CONTROL, *LABELS], [60, 30, 30, 30, 30, 30])
    effect = {label: rng.normal(0, 0.2, len(GENES)) for label in LABELS} | {CONTROL: np.zeros(len(GENES))}
    x = np.array([base + effect[label] for label in labels]) + rng.normal(0, 0.2, (len(labels), len(GENES)))
    obs = pd.DataFrame({"perturbation": labels}, index=[f"cell{i}" for i in range(len(labels))])
    return ad.AnnData(x.clip(0), obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture(params=["cells", "profiles"])
def data(request) -> ad.AnnData:
    cells = make_cells()
    return cells if request.param == "cells" else spb.pp.profiles(cells)


@pytest.fixture
def profiles() -> ad.AnnData:
    return spb.pp.profiles(make_cells())


@pytest.fixture
def control() -> np.ndarray:
    cells = make_cells()
    return cells.X[cells.obs["perturbation"] == CONTROL].mean(axis=0)


@pytest.fixture
def table(control) -> pd.DataFrame:
    """A model's expression of every perturbation."""
    values = control + np.random.default_rng(1).normal(0, 0.1, (len(LABELS), len(GENES)))
    return pd.DataFrame(values.clip(0), index=LABELS, columns=GENES)


def stored(data: ad.AnnData, key: str = "mine") -> pd.DataFrame:
    return spb.get.predictions(data, key).drop(index=CONTROL)


def check(data: ad.AnnData, expected: pd.DataFrame, key: str = "mine") -> None:
    """What is stored is `expected`, at the float32 of a layer on cells."""
    pd.testing.assert_frame_equal(
        stored(data, key), expected.loc[LABELS], check_names=False, rtol=2e-6, atol=1e-7, check_index_type=False
    )
    layer = np.asarray(data.layers[key])
    for name in LABELS:  # every row is that of its perturbation
        rows = layer[(data.obs["perturbation"] == name).to_numpy()]
        np.testing.assert_allclose(rows, np.tile(expected.loc[name], (len(rows), 1)), rtol=2e-6, atol=1e-7)


def unchanged(data: ad.AnnData, before: ad.AnnData) -> None:
    assert set(data.layers) == set(before.layers)
    assert set(data.varm) == set(before.varm)
    assert data.uns.get("scpertbias", {}).keys() == before.uns.get("scpertbias", {}).keys()
    np.testing.assert_array_equal(data.X, before.X)


def predicted_cells(table: pd.DataFrame, *, column: str, control: np.ndarray | None = None, n: int = 7) -> ad.AnnData:
    """Cells whose mean is the table, as STATE and cell-eval write them."""
    rng = np.random.default_rng(2)
    blocks, labels = [], []
    for label, row in table.iterrows() if control is None else [*table.iterrows(), (CONTROL, control)]:
        noise = rng.uniform(-1, 1, (n, table.shape[1])) * np.asarray(row) * 0.5
        blocks.append(np.asarray(row) + noise - noise.mean(axis=0))
        labels += [label] * n
    obs = pd.DataFrame({column: pd.Categorical(labels), "batch": "b"}, index=[f"p{i}" for i in range(len(labels))])
    order = rng.permutation(len(labels))
    return ad.AnnData(np.vstack(blocks), obs=obs, var=pd.DataFrame(index=table.columns))[order].copy()


# --- the forms ---


def test_round_trip_is_exact(data):
    spb.tl.fit_ridge(data)
    table = spb.get.predictions(data, "ridge")
    spb.tl.add_predictions(data, table, key_added="mine")
    pd.testing.assert_frame_equal(spb.get.predictions(data, "mine"), table, check_exact=True)
    np.testing.assert_array_equal(data.layers["mine"], data.layers["ridge"])


def test_gears_dict(data, table, control):
    # as model.predict returns it: names of the genes elsewhere, "A_B" in the order asked for, single genes bare
    predictions = {"STAT1_IRF1": table.loc["IRF1+STAT1"].to_numpy()}
    predictions |= {label: table.loc[label].to_numpy() for label in ["JAK2", "IRF1", "SPI1"]}
    predictions["STAT1+ctrl"] = table.loc["STAT1"].to_numpy()
    spb.tl.add_predictions(data, predictions, key_added="mine", gene_names=list(GENES))
    check(data, table)
    np.testing.assert_allclose(spb.get.predictions(data, "mine").loc[CONTROL], control, rtol=1e-6)


def test_scgpt_dict_of_cells(data, table):
    cells = predicted_cells(table, column="x")
    predictions = {label: cells.X[(cells.obs["x"] == label).to_numpy()].astype(np.float32) for label in LABELS}
    spb.tl.add_predictions(data, predictions, key_added="mine", gene_names=pd.Index(GENES))
    pd.testing.assert_frame_equal(stored(data), table, check_names=False, rtol=1e-5, atol=1e-6)


def test_dict_of_series_names_its_genes(data, table):
    predictions = {label: row.iloc[::-1] for label, row in table.iterrows()}
    spb.tl.add_predictions(data, predictions, key_added="mine")
    check(data, table)


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_state_cells_in_a_file(data, table, control, tmp_path, form):
    cells = predicted_cells(table, column="target_gene", control=control)
    if form == "sparse":
        cells.X = sparse.csr_matrix(cells.X)
    cells.write_h5ad(tmp_path / "adata_pred.h5ad")
    spb.tl.add_predictions(data, tmp_path / "adata_pred.h5ad", key_added="mine")
    check(data, table)
    record = data.uns["scpertbias"]["models"]["mine"]
    assert record["params"]["source"] == "file adata_pred.h5ad"


def test_predicted_control_is_kept(profiles, table, control):
    cells = predicted_cells(table, column="target_gene", control=control * 0.98)
    spb.tl.add_predictions(profiles, cells, key_added="mine")
    np.testing.assert_allclose(spb.get.predictions(profiles, "mine").loc[CONTROL], control * 0.98)


def test_a_predicted_control_that_is_off_is_a_warning_once_and_for_expression_only(profiles, table, control):
    off = table + np.random.default_rng(5).normal(0, 0.3, len(GENES)).clip(-control)
    off.loc[CONTROL] = control + (off - table).iloc[0]
    with pytest.warns(UserWarning, match="the predicted control differs .*pass control='predicted'") as warned:
        spb.tl.add_predictions(profiles, off, key_added="mine")
    assert len(warned) == 1
    spb.tl.add_predictions(profiles, off, key_added="mine", control="predicted")  # as it says
    check(profiles, table)
    spb.tl.add_predictions(profiles, off - control, key_added="changes", kind="delta")


def test_cpa_obsm_of_the_cells(table):
    cells = make_cells()
    rng = np.random.default_rng(3)
    predicted = np.zeros(cells.shape)
    for label in LABELS:
        rows = (cells.obs["perturbation"] == label).to_numpy()
        noise = rng.uniform(-0.5, 0.5, (rows.sum(), len(GENES))) * table.loc[label].to_numpy()
        predicted[rows] = table.loc[label].to_numpy() + noise - noise.mean(axis=0)
    predicted[(cells.obs["perturbation"] == CONTROL).to_numpy()] = table.loc["SPI1"].to_numpy()
    cells.obsm["CPA_pred"] = predicted
    spb.tl.add_predictions(cells, "CPA_pred", key_added="cpa")
    check(cells, table, "cpa")
    np.testing.assert_allclose(spb.get.predictions(cells, "cpa").loc[CONTROL], table.loc["SPI1"], rtol=1e-6)
    cells.layers["predicted"] = predicted
    spb.tl.add_predictions(cells, "predicted", key_added="layer")
    np.testing.assert_array_equal(cells.layers["layer"], cells.layers["cpa"])


def test_cpa_obsm_of_another_anndata(data, table, tmp_path):
    cells = predicted_cells(table, column="condition")
    shuffled = np.random.default_rng(0).permutation(len(GENES))
    other = cells[:, shuffled].copy()
    other.obsm["CPA_pred"] = np.asarray(other.X)
    other.X = np.zeros(other.shape)  # the observed counts: not to be read
    other.write_h5ad(tmp_path / "cpa.h5ad")
    spb.tl.add_predictions(data, str(tmp_path / "cpa.h5ad"), key_added="mine", obsm="CPA_pred")
    check(data, table)


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("tsv", "\t"), ("csv.gz", ",")])
def test_profile_table_in_a_file(data, table, tmp_path, suffix, separator):
    path = tmp_path / f"profiles.{suffix}"
    table.rename_axis("perturbation").to_csv(path, sep=separator)
    spb.tl.add_predictions(data, path, key_added="mine")
    check(data, table)
    spb.tl.add_predictions(data, table, key_added="direct")
    np.testing.assert_array_equal(data.layers["mine"], data.layers["direct"])


def test_anndata_of_profiles_named_by_its_rows(data, table):
    spb.tl.add_predictions(data, ad.AnnData(table), key_added="mine")
    check(data, table)


def test_gene_order_does_not_matter(data, table, tmp_path):
    spb.tl.add_predictions(data, table, key_added="mine")
    order = np.random.default_rng(4).permutation(len(GENES))
    extra = table.iloc[:, order].assign(NOT_MEASURED=3.0)
    extra.to_csv(tmp_path / "permuted.csv")
    spb.tl.add_predictions(data, tmp_path / "permuted.csv", key_added="permuted")
    spb.tl.add_predictions(data, ad.AnnData(extra), key_added="anndata")
    np.testing.assert_array_equal(data.layers["permuted"], data.layers["mine"])
    np.testing.assert_array_equal(data.layers["anndata"], data.layers["mine"])


def test_symbols_or_ids(table):
    cells = make_cells()
    cells.var["gene_name"] = cells.var_names
    cells.var_names = [f"ENSG{i:011d}" for i in range(cells.n_vars)]
    spb.tl.add_predictions(cells, table, key_added="symbols")
    spb.tl.add_predictions(cells, table.set_axis(cells.var_names, axis=1), key_added="ids")
    np.testing.assert_array_equal(cells.layers["symbols"], cells.layers["ids"])
    assert np.isfinite(cells.layers["ids"]).all()


# --- kinds and references ---


def test_delta(data, control):
    delta = np.random.default_rng(5).normal(0, 0.1, (len(LABELS), len(GENES)))
    spb.tl.add_predictions(data, pd.DataFrame(delta, LABELS, GENES), key_added="mine", kind="delta")
    check(data, pd.DataFrame(control + delta, LABELS, GENES))


def test_log2fc(data, control):
    lfc = np.random.default_rng(6).normal(0, 0.5, (len(LABELS), len(GENES)))
    spb.tl.add_predictions(data, pd.DataFrame(lfc, LABELS, GENES), key_added="mine", kind="log2fc")
    by_hand = [[np.log(1 + (np.exp(c) - 1) * 2**l) for c, l in zip(control, row, strict=True)] for row in lfc]
    check(data, pd.DataFrame(by_hand, LABELS, GENES))


def test_log2fc_of_data_in_log2():
    cells = make_cells()
    cells.X = cells.X / np.log(2)
    cells.uns["log1p"] = {"base": 2}
    mean = cells.X[cells.obs["perturbation"] == CONTROL].mean(axis=0)
    lfc = pd.DataFrame(np.random.default_rng(6).normal(0, 0.5, (len(LABELS), len(GENES))), LABELS, GENES)
    profiles = spb.pp.profiles(cells)
    spb.tl.add_predictions(profiles, lfc, key_added="mine", kind="log2fc")
    check(profiles, np.log2(1 + (2**mean - 1) * 2**lfc))


def test_predicted_reference_takes_a_shared_offset_out(data, table, control):
    offset = np.linspace(0, 0.6, len(GENES))
    own_control = control * 0.95
    cells = predicted_cells(table + offset, column="target_gene", control=own_control + offset)
    spb.tl.add_predictions(data, cells, key_added="mine", control="predicted")
    check(data, table - own_control + control)
    np.testing.assert_allclose(spb.get.predictions(data, "mine").loc[CONTROL], control, rtol=1e-6)


def test_predicted_reference_needs_the_control(profiles, table):
    with pytest.raises(ValueError, match="do not contain the control"):
        spb.tl.add_predictions(profiles, table, key_added="mine", control="predicted")


@pytest.mark.parametrize(
    ("argument", "message"),
    [({"control": "mock"}, "profiles"), ({"kind": "logfc"}, "log2fc"), ({"key_added": "half_1"}, "did not write")],
)
def test_words(profiles, table, argument, message):
    with pytest.raises(ValueError, match=message):
        spb.tl.add_predictions(profiles, table, **{"key_added": "mine", **argument})


def test_control_of_the_stored_models():
    cells = make_cells()
    cells.obs["perturbation"] = cells.obs["perturbation"].replace({CONTROL: "mock"})
    spb.tl.fit_ridge(cells, reference="mock")
    table = spb.get.predictions(cells, "ridge")
    spb.tl.add_predictions(cells, table, key_added="mine")
    pd.testing.assert_frame_equal(spb.get.predictions(cells, "mine"), table, check_exact=True)
    spb.tl.score(cells)  # the models agree on the data


# --- what is refused ---


def zscores(table: pd.DataFrame) -> pd.DataFrame:
    return (table - table.mean()) / table.std()


REFUSED = {
    "shuffled genes": (
        lambda t: t.set_axis(np.roll(GENES, 11), axis=1),
        {},
        "seem to be shuffled.*correlation .* is -?0.[0-2]",
    ),
    "integer names": (
        lambda t: t.set_axis(range(t.shape[1]), axis=1),
        {},
        "numbers instead of gene names .*gene_names=",
    ),
    "text integers": (
        lambda t: ad.AnnData(t.to_numpy(), obs=pd.DataFrame(index=t.index)),
        {},
        "numbers instead of gene names",
    ),
    "no names": (lambda t: dict(zip(t.index, t.to_numpy(), strict=True)), {}, "no gene names.*gene_names="),
    "names of another length": (lambda t: t, {"gene_names": ["A", "B"]}, "40 columns. Pass one name per column"),
    "z-scores": (zscores, {}, "negative values.*kind='delta'"),
    "raw counts": (lambda t: (10 * t).round(), {}, "raw counts.*log1p"),
    "not logged": (lambda t: 50 * np.expm1(t), {}, "another scale.*log1p"),
    "small rises": (lambda t: 0.1 * t, {}, "another scale.*delta"),
    "expression as delta": (lambda t: t, {"kind": "delta"}, "seems to contain expression"),
    "expression as log2fc": (lambda t: t, {"kind": "log2fc"}, "seems to contain expression"),
    "huge fold changes": (lambda t: 1000 * (t - t.mean()), {"kind": "log2fc"}, "too large"),
    "few genes": (lambda t: t.iloc[:, :10], {}, "contains only 10 of the 40 genes.*transpose"),
    "genes missing": (lambda t: t.drop(columns=["GENE3", "JAK2"]), {}, r"lacks 2 of the 40 genes.*JAK2.*adata\[:"),
    "transposed": (lambda t: t.T, {}, "transpose"),
    "genes twice": (lambda t: pd.concat([t, t[["IRF1"]]], axis=1), {}, "repeat.*IRF1"),
    "a label twice": (lambda t: pd.concat([t, t.loc[["STAT1"]].rename({"STAT1": "STAT1+ctrl"})]), {}, "more than once"),
    "no known label": (lambda t: t.set_axis(list("ABCDE"), axis=0), {}, "which are not perturbations of the data"),
    "NaN": (lambda t: t.assign(JAK2=np.nan), {}, "NaN or infinite"),
    "infinite": (lambda t: t.assign(JAK2=np.inf), {}, "NaN or infinite"),
    "all NaN": (lambda t: t * np.nan, {}, "only NaN"),
    "words": (lambda t: t.assign(JAK2="a"), {}, "not numeric"),
    "obsm of a table": (lambda t: t, {"obsm": "CPA_pred"}, "Omit `obsm`"),
    "unknown test": (lambda t: t, {"test": ["A"]}, "`test` contains A, which is not a perturbation"),
    "attributions of other genes": (
        lambda t: t,
        {"attributions": pd.DataFrame({"STAT1": [1.0]}, ["X"])},
        "`attributions`",
    ),
    "no such file": (lambda _: "nowhere.csv", {}, "not a file"),
    "pickle": (lambda _: "model.pkl", {}, "unpickling"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_nothing_written(data, table, case):
    change, arguments, message = REFUSED[case]
    before = data.copy()
    with pytest.raises(ValueError, match=message):
        spb.tl.add_predictions(data, change(table), key_added="mine", **arguments)
    unchanged(data, before)


def test_wrong_types(profiles, table):
    with pytest.raises(TypeError, match="`predictions` is a list; pass a DataFrame"):
        spb.tl.add_predictions(profiles, [1, 2], key_added="mine")
    with pytest.raises(TypeError, match="`attributions` is a ndarray"):
        spb.tl.add_predictions(profiles, table, key_added="mine", attributions=np.ones((40, 5)))


def test_counts_in_a_layer(table):
    cells = make_cells()
    cells.layers["counts"] = np.round(10 * cells.X)
    with pytest.raises(ValueError, match="raw counts"):
        spb.tl.add_predictions(cells, "counts", key_added="mine")


def test_standardized_data_take_negative_predictions():
    cells = make_cells()
    profiles = spb.pp.profiles(cells)
    spb.pp.standardize(profiles, key_added="scaled")
    spb.tl.fit_mean(profiles, layer="scaled")
    table = spb.get.predictions(profiles, "mean")
    assert table.to_numpy().min() < -0.1
    spb.tl.add_predictions(profiles, table, key_added="mine", layer="scaled")
    pd.testing.assert_frame_equal(spb.get.predictions(profiles, "mine"), table)
    with pytest.raises(ValueError, match="needs log-normalized data"):
        spb.tl.add_predictions(profiles, table, key_added="fold", layer="scaled", kind="log2fc")


# --- labels, records ---


def test_unknown_labels_are_named_and_missing_ones_are_gaps(data, table):
    predictions = table.drop(index=["JAK2", "SPI1"])
    predictions.loc["TP53"] = predictions.loc["IRF1"]
    predictions.loc["none"] = predictions.loc["IRF1"]  # unassigned: left out without a word
    with pytest.warns(UserWarning, match="1 labels were left out, because they are not in the data: TP53"):
        spb.tl.add_predictions(data, predictions, key_added="mine")
    got = stored(data)
    assert got.loc[["JAK2", "SPI1"]].isna().all(axis=None)
    assert got.drop(index=["JAK2", "SPI1"]).notna().all(axis=None)
    assert list(data.uns["scpertbias"]["models"]["mine"]["unpredicted"]) == ["JAK2", "SPI1"]


def test_record(profiles, table):
    spb.tl.add_predictions(profiles, table, key_added="mine", test=["STAT1_IRF1", "JAK2"])
    record = profiles.uns["scpertbias"]["models"]["mine"]
    assert record["kind"] == "external"
    assert record["params"] == {
        "kind": "expression",
        "control": "observed",
        "fitted_on": "this",
        "source": "table 5 × 40",
    }
    assert sorted(record["test"]) == ["IRF1+STAT1", "JAK2"]
    assert record["data"]["reference_name"] == CONTROL
    assert record["cross_fitted"] is False
    assert record["note"] == ""
    assert not len(record["unpredicted"])


def test_test_decides_what_is_scored(profiles, table):
    spb.tl.add_predictions(profiles, table, key_added="mine", test=["STAT1_IRF1", "JAK2"])
    spb.tl.score(profiles)
    scores = spb.get.scores(profiles)
    assert sorted(scores.loc[scores["split"] == "test", "perturbation"]) == ["IRF1+STAT1", "JAK2"]
    with pytest.warns(UserWarning, match="`test`: 1 labels"):
        spb.tl.add_predictions(profiles, table, key_added="mine", test=["JAK2", "TP53"])


def test_constant_is_noted(profiles, table):
    table.loc[["JAK2", "SPI1"]] = table.loc["JAK2"].to_numpy()
    spb.tl.add_predictions(profiles, table, key_added="all")
    spb.tl.add_predictions(profiles, table, key_added="held_out", test=["JAK2", "SPI1"])
    models = profiles.uns["scpertbias"]["models"]
    assert [bool(models[name]["constant"]) for name in ("all", "held_out")] == [False, True]
    assert models["all"]["note"] == ""
    assert models["held_out"]["note"] == "same prediction for every unseen perturbation"


def test_attributions(data, table):
    values = np.random.default_rng(8).random((len(GENES), 2))
    attributions = pd.DataFrame(values, index=GENES, columns=["STAT1_IRF1", "JAK2"]).sample(frac=1, random_state=0)
    spb.tl.add_predictions(data, table, key_added="mine", attributions=attributions)
    got = spb.get.attributions(data, "mine")
    np.testing.assert_allclose(got[["IRF1+STAT1", "JAK2"]].loc[GENES], values, rtol=1e-6)
    assert got.drop(columns=["IRF1+STAT1", "JAK2"]).isna().all(axis=None)
    spb.tl.add_predictions(data, table, key_added="mine")
    assert "mine" not in data.varm


def test_copy_and_round_trip_through_a_file(data, table, tmp_path):
    before = data.copy()
    out = spb.tl.add_predictions(data, table, key_added="mine", test=["JAK2"], copy=True)
    unchanged(data, before)
    out.write_h5ad(tmp_path / "out.h5ad")
    pd.testing.assert_frame_equal(
        spb.get.predictions(ad.read_h5ad(tmp_path / "out.h5ad"), "mine"), spb.get.predictions(out, "mine")
    )


def test_it_is_a_registered_model():
    models = spb.tl.show_models().set_index("model")
    assert models.loc["external", "function"] == "add_predictions"
    assert not models.loc["external", "closed_form"]


def cells_in_batches(seed=3):
    """Perturbations unevenly spread over two batches that differ; predicted cells are the truth, in the batches of the data."""
    rng = np.random.default_rng(seed)
    targets = [f"T{i}" for i in range(30)]
    genes = [*targets, *(f"G{i}" for i in range(60))]
    shift = {"A": np.zeros(len(genes)), "B": rng.normal(0, 0.6, len(genes))}
    base = np.log1p(rng.gamma(0.8, 1, len(genes)) + 0.2) + 1.5
    effect = {t: rng.normal(0, 0.35, len(genes)) for t in targets} | {"control": np.zeros(len(genes))}
    share = {t: 0.5 if t == "control" else 0.9 if i % 2 else 0.1 for i, t in enumerate(["control", *targets])}
    rows = [
        (t, b) for t in share for b in rng.choice(["A", "B"], 240 if t == "control" else 40, p=[share[t], 1 - share[t]])
    ]
    obs = pd.DataFrame(rows, columns=["perturbation", "batch"], index=[f"c{i}" for i in range(len(rows))])
    obs["split"] = np.where(obs["perturbation"].isin(targets[10:]), "test", "train")
    means = np.array([base + shift[b] + effect[t] for t, b in rows])
    var = pd.DataFrame(index=genes)
    data = ad.AnnData((means + rng.normal(0, 0.3, means.shape)).clip(0), obs=obs, var=var)
    held_out = obs["perturbation"].isin(["control", *targets[10:]]).to_numpy()
    predicted = ad.AnnData(means[held_out], obs=obs[held_out].drop(columns="split"), var=var)
    return data, predicted, effect


@pytest.mark.parametrize("form", ["cells", "profiles"])
@pytest.mark.parametrize("control", ["observed", "predicted"])
def test_predicted_cells_are_compared_with_the_control_of_their_batches(form, control):
    """Perfect cells must score their ceiling, whatever batches they lie in."""
    data, predicted, effect = cells_in_batches()
    data = data if form == "cells" else spb.pp.profiles(data, batch_key="batch")
    spb.tl.add_predictions(data, predicted, key_added="perfect", control=control, batch_key="batch")
    if form == "cells":
        spb.tl.add_predictions(data, predicted[:, ::-1].copy(), key_added="turned", control=control, batch_key="batch")
        pd.testing.assert_frame_equal(*(spb.get.predictions(data, key) for key in ("perfect", "turned")))
    spb.tl.score(data)
    scores = spb.get.scores(data, models="perfect", split="test")
    assert len(scores) == 20
    for metric in ("pearson_delta", "pearson_delta_perturbed"):
        assert scores[metric].mean() == pytest.approx(scores[f"{metric}_ceiling"].mean(), abs=0.01)
    assert (scores["l2"] ** 2).mean() == pytest.approx((scores["l2_ceiling"] ** 2).mean(), rel=0.1)
    if control == "predicted":
        by_name = np.array([effect[name] for name in scores["perturbation"]])
        values = spb.get.predictions(data, "perfect")
        found = (values.loc[scores["perturbation"]] - values.loc["control"]).to_numpy()
        np.testing.assert_allclose(found, by_name, atol=1e-5)


def test_cells_in_no_batch_of_the_data_are_left_out():
    data, predicted, _ = cells_in_batches()
    profiles = spb.pp.profiles(data, batch_key="batch")
    spb.tl.add_predictions(profiles, predicted, key_added="all")
    more = ad.concat([predicted, predicted[:7].copy()], index_unique="-")
    more.obs["batch"] = [*predicted.obs["batch"], *["elsewhere"] * 7]
    with pytest.warns(UserWarning, match="7 cells are left out, because their batch is not in the data"):
        spb.tl.add_predictions(profiles, more, key_added="more")
    pd.testing.assert_frame_equal(spb.get.predictions(profiles, "all"), spb.get.predictions(profiles, "more"))
    without = predicted[(predicted.obs["perturbation"] != "control") | (predicted.obs["batch"] == "A")].copy()
    with pytest.raises(ValueError, match=r"no control cells in batch \['B'\]"):
        spb.tl.add_predictions(profiles, without, key_added="x", control="predicted")


def test_batches_of_predicted_cells_go_along_into_an_audit():
    data, predicted, _ = cells_in_batches()
    spb.tl.add_predictions(data, predicted, key_added="perfect", batch_key="batch")
    options = {"batch_key": "batch", "covariates": (), "regimes": ("full",), "n_random": 0}
    mdata = spb.tl.audit(data, models=("mean", "perfect"), **options)
    direct = spb.tl.audit(data, models=("mean",), predictions={"perfect": predicted}, **options)
    a, b = (spb.get.scores(m, models="perfect", split="test").set_index("perturbation") for m in (mdata, direct))
    np.testing.assert_allclose(a["l2_ceiling"], b.loc[a.index, "l2_ceiling"], rtol=1e-6)
    np.testing.assert_allclose(a["l2"], b.loc[a.index, "l2"], rtol=1e-4)


@pytest.mark.parametrize("of_profiles", [True, False])
def test_labels_are_read_as_stored_models_read_them(table, of_profiles):
    cells = make_cells()
    names = {"IRF1": "g1", "JAK2": "g2", "IRF1+STAT1": "IRF1~STAT1"}
    cells.obs["perturbation"] = [names.get(label, label) for label in cells.obs["perturbation"]]
    how = {"label_map": {"g1": "IRF1", "g2": "JAK2"}, "combination_sep": "~"}
    if of_profiles:
        adata = spb.pp.profiles(cells, **how)
    else:
        adata = cells
        spb.tl.fit_mean(adata, **how)
    raw = table.rename(index=names)
    for key, predictions in (("by_name", table), ("by_label", raw), ("by_tuple", _of_tuples(table))):
        spb.tl.add_predictions(adata, predictions, key_added=key)
        check(adata, table, key)
    spb.tl.fit_mean(adata, key_added="again", **({} if of_profiles else how))
    spb.tl.score(adata, ["by_label", "again"])
    said = {} if of_profiles else {"label_map": {"g1": "JAK2", "g2": "IRF1"}}
    spb.tl.add_predictions(adata, raw, key_added="other", **said)
    swapped = table.rename(index={"IRF1": "JAK2", "JAK2": "IRF1"}) if said else table
    check(adata, swapped, "other")


def _of_tuples(table: pd.DataFrame) -> dict:
    return {tuple(reversed(label.split("+"))): row for label, row in table.iterrows()}
