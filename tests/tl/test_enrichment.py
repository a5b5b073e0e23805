import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scpertbias._core.resampling import benjamini_hochberg
from scpertbias.tl._enrichment import COLUMNS, TOO_SMALL, Lists, enrich_table, query

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
    assert list(table.columns) == list(COLUMNS)
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
    assert list(table.columns) == list(COLUMNS)
