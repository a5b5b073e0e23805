import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._enrich import enrich as get_enrich
from scpertbias.tl._enrich import enrich, measured_sets, top_genes

N_GENES = 80


@pytest.fixture
def profiles():
    profiles = spb.pp.pseudobulk(spb.ds.simulate(1500, N_GENES, 10))
    spb.tl.fit_mean(profiles)
    spb.tl.fit_ridge(profiles)
    return profiles


@pytest.fixture
def sets(profiles):
    """Three sets of measured genes, one of which holds genes that were not measured too, and one that is too small."""
    genes = profiles.var_names
    rows = {"first": [*genes[:12], "ELSEWHERE", "NOWHERE"], "odd": genes[1::2], "last": genes[-6:], "tiny": genes[:4]}
    return pd.DataFrame(
        [(name, gene) for name, members in rows.items() for gene in members], columns=["source", "target"]
    )


def brought(profiles, values, key="brought"):
    names = profiles.obs["perturbation"].astype(str).tolist()
    table = pd.DataFrame(values, index=profiles.var_names, columns=names)
    spb.tl.add_predictions(profiles, spb.get.predictions(profiles, "ridge"), key_added=key, attributions=table)
    return table


def test_top_genes_of_each_perturbation_against_the_measured(profiles, sets):
    enrich(profiles, sets, models="ridge", k=10)
    table = get_enrich(profiles)
    attributions = spb.get.attributions(profiles, "ridge")
    for name in profiles.obs_names[~profiles.obs["is_reference"]]:
        top = set(attributions[name].nlargest(10).index)
        rows = table[table["perturbation"] == name].set_index("source")
        for source, frame in sets[sets["source"] != "tiny"].groupby("source"):
            members = set(frame["target"]) & set(profiles.var_names)
            overlap = len(top & members)
            if overlap:
                row = rows.loc[source]
                assert row[["overlap", "k", "set_size", "background"]].tolist() == [overlap, 10, len(members), N_GENES]
                assert row["p"] == pytest.approx(stats.hypergeom.sf(overlap - 1, N_GENES, len(members), 10))
            else:
                assert source not in rows.index
    assert "tiny" not in set(table["source"])
    assert set(table["of"]) == {"attributions"}


def test_the_mean_weighs_perturbations_alike():
    size = np.array([[0.0, 100, 99, 0, 0], [3, 0, 0, 2, 0], [3, 0, 0, 2, 0], [np.nan] * 5, [0] * 5])
    found = top_genes(size, 2)
    assert found.astype(int).tolist() == [
        [1, 0, 0, 1, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 1, 0],
        [1, 0, 0, 1, 0],
        [0] * 5,
        [0] * 5,
    ]


def test_genes_without_attribution_are_never_on_top(profiles, sets):
    """Of a one-hot attribution, 19 of the top 20 would be the first columns: a set of these would look enriched."""
    values = np.zeros((N_GENES, 11))
    values[70] = 1.0
    brought(profiles, values)
    enrich(profiles, sets, models="brought")
    assert get_enrich(profiles).empty
    values[3] = -1.0
    brought(profiles, values)
    enrich(profiles, sets, models="brought")
    table = get_enrich(profiles)
    assert (table["k"] == 2).all()
    assert set(table.loc[table["source"] == "first", "genes"]) == {profiles.var_names[3]}
    assert table["note"].str.startswith("too small").all()


def test_models_without_attributions_are_left_out(profiles, sets):
    enrich(profiles, sets)
    assert set(get_enrich(profiles)["model"]) == {"ridge"}


def test_recurrent_genes(profiles, sets):
    genes = profiles.var_names
    table = pd.DataFrame(
        [
            *(("observed", "z", g, 9 - i, 0.01) for i, g in enumerate(genes[:8])),
            *(("observed", "z", g, 10, 0.3) for g in genes[20:25]),  # not called
            *(("ridge", "centered", g, 3, 0.04) for g in genes[-3:]),
            *(("ridge", "delta", g, 3, np.nan) for g in genes[-3:]),
        ],
        columns=["model", "by", "gene", "count", "q"],
    )
    _store.put(profiles, recurrence=table)
    enrich(profiles, sets, of="recurrence", k=5)
    found = get_enrich(profiles).set_index(["model", "of", "source"])
    assert set(found.index) == {
        ("observed", "z", "first"),
        ("observed", "z", "odd"),
        ("ridge", "centered", "last"),
        ("ridge", "centered", "odd"),
    }
    row = found.loc[("observed", "z", "first")]
    assert row[["perturbation", "overlap", "k"]].tolist() == ["", 5, 5]
    assert row["genes"] == ", ".join(sorted(genes[:5]))
    assert row["p"] == pytest.approx(stats.hypergeom.sf(4, N_GENES, 12, 5))
    with pytest.raises(KeyError, match="'gears'"):
        enrich(profiles, sets, of="recurrence", models="gears")


def test_recurrence_must_be_asked_first(profiles, sets):
    with pytest.raises(KeyError, match=r"spb\.tl\.recurrence first"):
        enrich(profiles, sets, of="recurrence")


def test_symbols_of_ensembl_ids():
    adata = spb.ds.simulate(1500, N_GENES, 10)
    adata.var["gene_name"] = adata.var_names.to_numpy(str)
    adata.var.loc[adata.var_names[1], "gene_name"] = adata.var_names[0]  # two ids of one symbol
    symbols = adata.var["gene_name"].to_numpy(str)
    adata.var_names = [f"ENSG{i:011d}" for i in range(N_GENES)]
    profiles = spb.pp.pseudobulk(adata)
    spb.tl.fit_ridge(profiles)
    enrich(profiles, pd.DataFrame({"source": "s", "target": symbols[:12]}))
    table = get_enrich(profiles)
    assert (table["background"] == N_GENES - 1).all()
    assert (table["set_size"] == 11).all()


def test_gmt_path_and_hallmark(profiles, tmp_path):
    path = tmp_path / "mine.gmt"
    path.write_text("my set\tfrom me\t" + "\t".join(profiles.var_names[:40]) + "\n", encoding="utf-8")
    enrich(profiles, path)
    by_path = get_enrich(profiles)
    enrich(profiles, str(path))
    pd.testing.assert_frame_equal(get_enrich(profiles), by_path)
    assert set(by_path["source"]) == {"my set"}
    screen = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    spb.tl.fit_ridge(screen)
    changed = enrich(screen, copy=True)
    best = get_enrich(changed).query("perturbation == 'IFNGR1'").iloc[0]
    assert best["source"] == "HALLMARK_INTERFERON_GAMMA_RESPONSE"
    assert best["background"] == 303
    assert not _store.has_table(screen, "enrich")


def test_sets_are_cut_to_the_measured_and_checked(sets, profiles):
    genes = np.sort(profiles.var_names.to_numpy(str))
    cut = measured_sets(pd.concat([sets, sets]).assign(weight=1.0), genes, tmin=5)
    assert cut["source"].value_counts().to_dict() == {"odd": 40, "first": 12, "last": 6}
    assert "tiny" in set(measured_sets(sets, genes, tmin=1)["source"])
    with pytest.raises(ValueError, match="none of the 4 sets has 50 measured genes"):
        measured_sets(sets, genes, tmin=50)
    with pytest.raises(ValueError, match=r"lacks the columns \['target'\]"):
        measured_sets(sets.rename(columns={"target": "gene"}), genes, tmin=5)
    with pytest.raises(TypeError, match="`sets` is a dict"):
        measured_sets({}, genes, tmin=5)


def test_errors(profiles, sets):
    with pytest.raises(ValueError, match="`of` is 'scores'"):
        enrich(profiles, sets, of="scores")
    with pytest.raises(ValueError, match="`k` is 0"):
        enrich(profiles, sets, k=0)
    with pytest.raises(ValueError, match="`k` is 81, but there are 80 measured genes"):
        enrich(profiles, sets, k=81)
    with pytest.raises(FileNotFoundError):
        enrich(profiles, "no_such_file.gmt")
    with pytest.raises(TypeError, match="MuData"):
        enrich(spb.pp.regimes(profiles, ["no_mt"]), sets)


def test_round_trip(profiles, sets, tmp_path):
    import anndata as ad

    enrich(profiles, sets)
    profiles.write_h5ad(tmp_path / "p.h5ad")
    pd.testing.assert_frame_equal(get_enrich(ad.read_h5ad(tmp_path / "p.h5ad")), get_enrich(profiles))
