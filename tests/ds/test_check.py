import pytest

from scpertbias import ds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_cells": 3}, "n_cells must be an integer of at least 10, found 3"),
        ({"n_genes": 2.5}, "n_genes must be an integer"),
        ({"n_perturbations": 0}, "n_perturbations must be an integer of at least 1"),
        ({"n_strata": 0}, "n_strata must be an integer of at least 1"),
        ({"n_cells": 100, "n_perturbations": 95}, "n_perturbations=95 is more than the 92 cells"),
        ({"axis_strength": -1}, "axis_strength must lie between 0 and 5, found -1"),
        ({"axis_strength": float("nan")}, "axis_strength must lie between 0 and 5, found nan"),
        ({"inert_fraction": 1.2}, "inert_fraction must lie between 0 and 1"),
        ({"knockdown": 0}, "knockdown is the share of expression that is left"),
        ({"control_fraction": 1}, "control_fraction must lie between 0 and 1"),
        ({"depth": float("inf")}, "depth is a mean number of UMIs"),
        ({"n_genes": 50_000}, "n_genes=50000 is more than"),
    ],
)
def test_a_parameter_that_makes_no_screen_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ds.simulate(**({"n_cells": 100, "n_genes": 20, "n_perturbations": 3} | changes))
