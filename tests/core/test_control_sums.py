import numpy as np
import pytest
from scipy import sparse

from scpertbias._core.cell_columns import DEPTH, MT_PERCENT
from scpertbias._core.control_sums import MOST_GROUPS, ControlSums, log_depth


def depth_slopes(x, half, *, batch, size, scale=None):
    """The slopes from all cells at once."""
    control = ControlSums(half, batch, [], quality={DEPTH: log_depth(size)}, n_genes=x.shape[1])
    control.add(x, slice(None), None, scale=scale, columns=None)
    return control.quality(np.where(half >= 0, 0, -1), 1, 0).slopes_on(DEPTH)


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    half = rng.integers(-1, 2, size=120)
    batch = rng.integers(0, 3, size=120)
    size = rng.lognormal(8, 0.4, size=120)
    x = rng.poisson(1.0, size=(120, 7)) + np.outer(np.log(size), np.linspace(-1, 1, 7)) + 3.0 * batch[:, None] + 9
    return x, half, batch, size


def brute(x, half, batch, size):
    """Least squares of every gene on log depth with an intercept for each batch."""
    slopes = []
    for a in (0, 1):
        mine = half == a
        dummies = (batch[mine][:, None] == np.arange(3)).astype(float)
        design = np.column_stack([np.log(size[mine]), dummies])
        slopes.append(np.linalg.lstsq(design, x[mine], rcond=None)[0][0])
    return np.array(slopes)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_is_least_squares_within_halves_and_batches(cells, form):
    x, half, batch, size = cells
    np.testing.assert_allclose(
        depth_slopes(form(x), half, batch=batch, size=size), brute(x, half, batch, size), atol=1e-10
    )


def test_normalizes_on_the_fly(cells):
    x, half, batch, size = cells
    scale = 1e3 / size
    fused = depth_slopes(x, half, batch=batch, size=size, scale=scale)
    np.testing.assert_allclose(fused, brute(np.log1p(x * scale[:, None]), half, batch, size), atol=1e-10)


def test_other_cells_are_not_looked_at(cells):
    x, half, batch, size = cells
    other = x.copy()
    other[half < 0] = 1e6
    np.testing.assert_array_equal(
        depth_slopes(x, half, batch=batch, size=size), depth_slopes(other, half, batch=batch, size=size)
    )


def test_cells_without_depth_take_no_part(cells):
    x, half, batch, size = cells
    size = np.where(np.arange(120) % 10 == 0, 0.0, size)
    kept = np.where(size > 0, half, -1)
    expected = brute(x, kept, batch, np.where(size > 0, size, 1.0))
    np.testing.assert_allclose(depth_slopes(x, half, batch=batch, size=size), expected, atol=1e-10)


def test_none_where_depth_is_the_same(cells):
    x, half, batch, _ = cells
    assert depth_slopes(x, half, batch=batch, size=np.full(120, 5.0)) is None


@pytest.fixture
def screen(cells):
    """The cells of the control (row 0) and of two perturbations, with three columns of levels, by number of levels."""
    x, half, batch, size = cells
    rng = np.random.default_rng(1)
    row = np.where(half >= 0, 0, rng.integers(1, 3, len(half)))
    row[::17] = np.where(row[::17] > 0, -1, 0)
    levels = [np.where(rng.random(len(half)) < 0.9, batch * n + rng.integers(0, n, len(half)), -1) for n in (2, 1, 3)]
    return x, half, batch, size, row, levels


@pytest.mark.parametrize("most", [MOST_GROUPS, 20, 1])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("measures", [0, 2])
def test_levels_are_those_of_single_cells(screen, monkeypatch, most, form, measures):
    monkeypatch.setattr("scpertbias._core.control_sums.MOST_GROUPS", most)
    x, half, batch, size, row, levels = screen
    percent = np.where(np.arange(len(half)) % 9 == 0, np.nan, 100 * np.cos(size))
    quality = dict(list({DEPTH: log_depth(size), MT_PERCENT: percent}.items())[:measures])
    control = ControlSums(half, batch, levels, quality=quality, n_genes=x.shape[1])
    control.add(form(x), slice(None), None, scale=None, columns=None)
    kept = control.kept_levels(row, 3, 0)
    assert (len(control.codes) == 1) == (most == MOST_GROUPS), "few combinations are summed at once"
    assert kept.counts.shape == (3, 6 + 3 + 9)
    for k, (column, level) in enumerate((j, b) for j, n in enumerate((6, 3, 9)) for b in range(n)):
        mine = levels[column] == level
        of_control = x[mine & (row == 0)]
        assert kept.column[k] == column
        assert kept.batch[k] == batch[mine][0]
        assert kept.counts[:, k].tolist() == [np.sum(mine & (row == p)) for p in range(3)]
        assert kept.n_control[k] == len(of_control)
        np.testing.assert_allclose(kept.mean[k], of_control.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(kept.var[k], of_control.var(axis=0, ddof=1), atol=1e-10)
    quality = control.quality(row, 3, 0)
    if measures == 0:
        assert quality is None
        return
    for j, values in enumerate((np.log(size), percent)):
        known = np.isfinite(values)
        mine = [values[known & (row == p)] for p in range(3)]
        np.testing.assert_allclose(quality.mean[:, j], [v.mean() for v in mine])
        np.testing.assert_allclose(quality.var[:, j], [v.var(ddof=1) for v in mine])
        of_control = [values[known & (row == 0) & (batch == b)] for b in range(3)]
        np.testing.assert_allclose(quality.control_mean[:, j], [v.mean() for v in of_control])
        np.testing.assert_allclose(quality.control_var[:, j], [v.var(ddof=1) for v in of_control])
        slopes = brute(x, np.where(np.isfinite(percent), half, -1), batch, np.exp(np.nan_to_num(values)))
        np.testing.assert_allclose(quality.slopes[:, j], slopes, atol=1e-9)


def test_cells_may_come_in_parts_and_genes_too(screen):
    x, half, batch, size, row, levels = screen
    quality = {DEPTH: np.zeros(len(half))}
    whole, parts, genes = (ControlSums(half, batch, levels, quality=quality, n_genes=7) for _ in range(3))
    for control in (whole, parts, genes):
        control.values = control.values.copy()
        control.set_size(slice(None), size)
    whole.add(x, slice(None), None, scale=None, columns=None)
    for rows in (slice(0, 50), slice(50, 120)):
        parts.add(x[rows], rows, None, scale=None, columns=None)
    for some in (slice(0, 4), slice(4, 7)):
        genes.add(x[:, some], slice(None), some, scale=None, columns=None)
    for other in (parts, genes):
        for ours, theirs in ((whole.kept_levels(row, 3, 0), other.kept_levels(row, 3, 0)),):
            np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-12)
            np.testing.assert_allclose(ours.var, theirs.var, atol=1e-12)
        np.testing.assert_allclose(whole.quality(row, 3, 0).slopes, other.quality(row, 3, 0).slopes, atol=1e-12)


def test_a_column_without_a_level_to_keep(screen):
    x, half, batch, _, row, levels = screen
    control = ControlSums(half, batch, [levels[0], np.full(len(half), -1)], quality={}, n_genes=7)
    control.add(x, slice(None), None, scale=None, columns=None)
    assert control.kept_levels(row, 3, 0).column.tolist() == [0] * 6


def test_nothing_is_kept_without_columns(screen):
    x, half, batch, _, row, _ = screen
    control = ControlSums(half, batch, [], quality={}, n_genes=7)
    control.add(x, slice(None), None, scale=None, columns=None)
    assert control.kept_levels(row, 3, 0) is None
    assert control.quality(row, 3, 0) is None
