import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scpertbias as spb
from scpertbias import _store
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias._tables import columns
from scpertbias.get._attribution import enrich as get_enrich
from scpertbias.tl._enrich import TOO_SMALL, Lists, enrich, enrich_table, measured_sets, query, top_genes

N_GENES = 80


@pytest.fixture
def profiles():
    profiles = spb.pp.profiles(spb.ds.simulate(1500, N_GENES, 10))
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
            *(("observed", "z", g, 9 - i, 0.01, np.nan) for i, g in enumerate(genes[:8])),
            *(("observed", "z", g, 10, 0.3, np.nan) for g in genes[20:25]),  # not called
            *(("ridge", "centered", g, 3, np.nan, 0.5) for g in genes[-3:]),
            *(("ridge", "delta", g, 3, np.nan, -0.5) for g in genes[-3:]),
        ],
        columns=["model", "by", "gene", "count", "q", "excess_ci_low"],
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
    profiles = spb.pp.profiles(adata)
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
    screen = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
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


GENES = np.array([f"G{i:04d}" for i in range(200)])


def setting(seed=0):
    rng = np.random.default_rng(seed)
    rows = [(f"set {i}", gene) for i in range(12) for gene in rng.choice(GENES, rng.integers(5, 40), replace=False)]
    members = {}
    for model, n in (("a", 6), ("b", 3)):
        mask = np.zeros((n, 200), dtype=bool)
        for line, k in zip(mask, [20, 20, 20, 7, 1, 0], strict=False):
            line[rng.choice(200, k, replace=False)] = True
        members[model, "attributions"] = [f"p{i}" for i in range(n)], mask
    members["a", "attributions"][1][0] = False
    in_set = [gene for name, gene in rows if name == "set 3"][:5]
    members["a", "attributions"][1][0, np.searchsorted(GENES, in_set)] = True
    return Lists(GENES, members), pd.DataFrame(rows, columns=["source", "target"])


def test_every_p_against_fisher_and_the_hypergeometric():
    lists, sets = setting()
    table = enrich_table(lists, sets)
    assert list(table.columns) == columns("enrich")
    assert len(table) > 60
    of_set = {name: set(frame["target"]) for name, frame in sets.groupby("source")}
    for row in table.itertuples():
        names, mask = lists.members[row.model, row.of]
        mine = set(GENES[mask[names.index(row.perturbation)]])
        common = mine & of_set[row.source]
        assert (row.overlap, row.k, row.set_size, row.background) == (
            len(common),
            len(mine),
            len(of_set[row.source]),
            200,
        )
        assert row.genes == ", ".join(sorted(common))
        a, b, c = len(common), len(of_set[row.source]) - len(common), len(mine) - len(common)
        d = 200 - a - b - c
        assert row.p == pytest.approx(stats.fisher_exact([[a, b], [c, d]], alternative="greater").pvalue, rel=1e-9)
        assert row.p == pytest.approx(stats.hypergeom.sf(a - 1, 200, row.set_size, row.k), rel=1e-9)
        assert row.log_odds == pytest.approx(np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5))))
        assert row.note == (TOO_SMALL if a < 3 else "")


def test_nothing_with_a_gene_in_common_is_missing_and_q_counts_the_rest():
    lists, sets = setting()
    table = enrich_table(lists, sets)
    for model, n_lists in (("a", 5), ("b", 3)):  # the empty list of "a" tests nothing
        p = []
        names, mask = lists.members[model, "attributions"]
        for line in mask[:n_lists]:
            for _, frame in sets.groupby("source", sort=False):
                overlap = int(line[np.searchsorted(GENES, frame["target"])].sum())
                p.append(stats.hypergeom.sf(overlap - 1, 200, len(frame), line.sum()))
        mine = table[table["model"] == model]
        assert len(mine) == sum(v < 1 for v in p)
        expected = benjamini_hochberg(np.array(p))
        np.testing.assert_allclose(np.sort(mine["q"]), np.sort(expected[np.array(p) < 1]), rtol=1e-9)
        assert names[5:] == (["p5"] if model == "a" else [])
    assert not (table["perturbation"] == "p5").any()
    top = table[table["model"] == "a"].iloc[0]
    assert (top["source"], top["overlap"], top["k"]) == ("set 3", 5, 5)
    assert top["q"] < 0.05


def test_best_first_within_a_list():
    lists, sets = setting()
    table = enrich_table(lists, sets)
    assert list(dict.fromkeys(table["model"] + " " + table["perturbation"])) == [
        *(f"a p{i}" for i in range(4)),  # the one gene of p4 is in no set
        *(f"b p{i}" for i in range(3)),
    ]
    assert all(p.is_monotonic_increasing for _, p in table.groupby(["model", "perturbation"])["p"])


def test_decoupler_on_the_sets_themselves_says_the_same():
    import decoupler as dc

    lists, sets = setting()
    table = enrich_table(lists, sets).set_index(["perturbation", "source"])
    features = GENES[lists.members["a", "attributions"][1][1]].tolist()
    direct = dc.mt.query_set(features, sets, n_bg=200, tmin=5).set_index("source")
    mine = table[table["model"] == "a"].loc["p1"]
    np.testing.assert_allclose(mine["p"], direct.loc[mine.index, "pval"], rtol=1e-12)
    np.testing.assert_allclose(mine["log_odds"], direct.loc[mine.index, "stat"], rtol=1e-12)


def test_the_trap_of_a_background_of_20000():
    """3 of 20 genes in an 80-gene set are nothing on a panel of 1,187, and 8e-5 on a genome that was not measured."""
    case = np.array([[3, 80]])
    assert query(20, case, 1187)[0, 1] == pytest.approx(stats.hypergeom.sf(2, 1187, 80, 20))
    assert round(query(20, case, 1187)[0, 1], 2) == 0.15
    assert query(20, case, 20_000)[0, 1] < 1e-4


def test_no_list_makes_an_empty_table():
    table = enrich_table(Lists(GENES, {}), setting()[1])
    assert table.empty
    assert list(table.columns) == columns("enrich")
