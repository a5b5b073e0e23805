import numpy as np
import pytest

from scpertbias._moments.batch import CellBatch, Normalization
from scpertbias._scale import Scale

COUNTS = np.array([[1.0, 3.0], [0.0, 0.0], [2.0, 2.0]])


def test_counts_are_scaled_by_their_totals_or_by_sizes_given():
    factor, size = Normalization(8.0, None, "totals").of(COUNTS)
    assert factor.tolist() == [2, 0, 2]
    assert size.tolist() == [4, 0, 4]
    factor, size = Normalization(8.0, np.array([2.0, 1.0, 8.0]), "obs['n']").of(COUNTS)
    assert factor.tolist() == [4, 8, 1]
    factor, size = Normalization(8.0, np.array([4.0, 0.0, 2.0]), "totals", are_totals=True).of(None)  # not summed again
    assert factor.tolist() == [2, 0, 4]
    assert size.tolist() == [4, 0, 2]
    with pytest.raises(ValueError, match=r"obs\['n'\] is not positive in 1 cells"):
        Normalization(8.0, np.array([2.0, 0.0, -1.0]), "obs['n']").of(COUNTS)


def test_some_cells_keep_what_is_known_of_each():
    size = np.array([1.0, 2.0, 3.0])
    cells = CellBatch(
        np.array([0, 1, 2]), size[:, None], Normalization(1.0, size, "n"), Scale(layer=None, normalize=True)
    )
    some = cells[slice(1, 3)]
    assert some.group.tolist() == [1, 2]
    assert some.deviations.tolist() == [[2], [3]]
    assert some.normalization.size.tolist() == [2, 3]
