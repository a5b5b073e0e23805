import numpy as np
import pytest
from scipy import sparse

import scpertbias as spb
from scpertbias._models.deep.data import read as read_cells


@pytest.fixture
def cells(screen, data):
    return read_cells(screen, data, function="spb.tl.fit_x")


def test_which_cells_count(screen, cells):
    label = screen.obs["perturbation"].to_numpy(str)
    counts = ~np.isin(label, ["unassigned", "FEW"])
    np.testing.assert_array_equal(np.sort(cells.order), np.flatnonzero(counts))
    for split in ("train", "val", "test"):
        here = counts & (screen.obs["split"] == split).to_numpy()
        if split == "train":
            here |= label == "non-targeting"
        np.testing.assert_array_equal(np.sort(cells.of(split)), np.flatnonzero(here))
    assert cells.problem.names == cells.screen.names


def test_order_depends_on_names_only(screen, data, cells):
    order = np.random.default_rng(0).permutation(screen.n_obs)
    shuffled = read_cells(screen[order].copy(), data, function="f")
    np.testing.assert_array_equal(order[shuffled.order], cells.order)
    assert shuffled.fingerprint == cells.fingerprint


def test_dense_is_a_batch_only(screen, data, cells):
    assert sparse.issparse(cells.x)
    rows = cells.order[[3, 1, 2]]
    np.testing.assert_array_equal(cells.dense(rows), screen.X[rows].toarray())
    assert cells.dense(rows).dtype == np.float32
    columns = screen.copy()
    columns.X = sparse.csc_matrix(columns.X)
    other = read_cells(columns, data, function="f")
    np.testing.assert_array_equal(other.dense(rows), cells.dense(rows))
    columns.X = columns.X.toarray()
    np.testing.assert_array_equal(read_cells(columns, data, function="f").dense(rows), cells.dense(rows))


def test_centering_by_stratum_gives_the_means_of_the_moments(screen, data, cells):
    train = cells.of("train")
    for p, name in enumerate(cells.screen.names):
        mine = train[cells.code[train] == p]
        if len(mine):
            mean = cells.centered(mine).mean(axis=0, dtype=np.float64)
            np.testing.assert_allclose(mean, cells.problem.means[p], atol=1e-5, err_msg=name)
    assert np.abs(cells.offset).max() > 0.01
    bare = screen.copy()
    del bare.obs["gem_group"]
    one = read_cells(bare, {**data, "batch_key": None}, function="f")
    assert one.offset is None
    np.testing.assert_array_equal(one.centered(train), one.dense(train))


def test_partners_are_controls_of_the_same_stratum(screen, cells):
    partner = cells.partners(np.random.default_rng(0))
    control = screen.obs["perturbation"].to_numpy(str) == "non-targeting"
    np.testing.assert_array_equal(partner[control], np.flatnonzero(control))
    perturbed = cells.order[~control[cells.order]]
    assert control[partner[perturbed]].all()
    batch = screen.obs["gem_group"].to_numpy(str)
    np.testing.assert_array_equal(batch[partner[perturbed]], batch[perturbed])
    assert len(np.unique(partner[perturbed])) > 20
    np.testing.assert_array_equal(partner, cells.partners(np.random.default_rng(0)))


def test_expressed_genes(screen, cells):
    has_value = cells.expressed()
    x, seen = screen.X.toarray(), np.concatenate([cells.of("train"), cells.of("val")])
    for p in range(len(cells.screen.names)):
        mine = seen[cells.code[seen] == p]
        np.testing.assert_array_equal(has_value[p], (x[mine] != 0).any(axis=0))
    assert not has_value[cells.code[cells.of("test")[0]]].any()


def test_fingerprints(screen, data, cells):
    fewer = read_cells(screen[:, :-1].copy(), data, function="f")
    assert fewer.fingerprint["genes"] != cells.fingerprint["genes"]
    assert fewer.fingerprint["split"] == cells.fingerprint["split"]
    other = screen.copy()
    spb.pp.split(other, rng=7)
    assert read_cells(other, data, function="f").fingerprint["split"] != cells.fingerprint["split"]
    louder = screen.copy()
    louder.X = louder.X * 1.01
    changed = read_cells(louder, data, function="f").fingerprint
    assert changed == {**cells.fingerprint, "values": changed["values"]}
    assert changed["values"] != cells.fingerprint["values"]


def test_profiles_are_refused(screen, data):
    with pytest.raises(ValueError, match="spb.tl.fit_x is trained on cells"):
        read_cells(spb.pp.profiles(screen, batch_key="gem_group"), data, function="spb.tl.fit_x")


def test_no_training_perturbation(screen, data):
    none = screen.copy()
    none.obs["split"] = "test"
    with pytest.raises(ValueError, match="No perturbation has training cells"):
        read_cells(none, data, function="f")
