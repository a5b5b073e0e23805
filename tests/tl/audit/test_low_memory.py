import gc

import numpy as np
import pytest

from scpertbias.tl._audit.low_memory import Spill


def test_a_spill_holds_what_was_put_there_and_leaves_nothing():
    spill = Spill()
    rows = np.array([False, True, True])
    spill.fill(("full", "a/b"), lambda: np.full((3, 2), np.nan), rows, np.ones((2, 2)))
    spill.fill(("full", "a/b"), pytest.fail, ~rows, np.zeros((1, 2)))
    solution = spill.solution(("full", "a/b"), note="note", chosen={"k": 1}, constant=True)
    del spill
    assert solution.predictions.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert (solution.note, solution.chosen, solution.constant, solution.coef) == ("note", {"k": 1}, True, None)
    folder = solution.path.parent
    del solution
    gc.collect()
    assert not folder.exists()
