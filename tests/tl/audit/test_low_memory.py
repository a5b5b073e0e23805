import gc

import numpy as np
import pytest

from scpertbias.tl._audit.low_memory import Shelf


def test_a_shelf_holds_what_was_put_there_and_leaves_nothing():
    shelf = Shelf()
    rows = np.array([False, True, True])
    shelf.fill(("full", "a/b"), lambda: np.full((3, 2), np.nan), rows, np.ones((2, 2)))
    shelf.fill(("full", "a/b"), pytest.fail, ~rows, np.zeros((1, 2)))
    solution = shelf.solution(("full", "a/b"), "note", {"k": 1}, constant=True)
    assert solution.predictions.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert (solution.note, solution.chosen, solution.constant, solution.coef) == ("note", {"k": 1}, True, None)
    folder = solution.path.parent
    del shelf
    gc.collect()
    assert not folder.exists()
