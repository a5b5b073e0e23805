"""The command behind the figures on calls runs, and a few null groups are called as rarely as they should be."""

import numpy as np
import pytest
from benchmarks import de


@pytest.mark.parametrize("n_cells", de.SIZES)
def test_null_groups_are_not_called(n_cells):
    profiles = [de.relabeled(seed, n_cells) for seed in range(2)] if n_cells < 200 else [de.relabeled(0, n_cells)]
    guarded, welch = np.concatenate([de.n_calls(p) for p in profiles], axis=1)
    assert (guarded > 0).mean() <= 0.05
    assert welch.mean() > 10 * guarded.mean()  # the guard is what does it
    assert welch.sum() > 0


def test_welch_of_the_benchmark_is_that_of_scanpy():
    adata = de.screens.normalize(de.screens.draw(1, shape="one_batch", truth_cells=0, n_genes=200, n_perturbations=3))
    profiles = de.spb.pp.profiles(adata)
    _, welch = de.n_calls(profiles)
    de.sc.tl.rank_genes_groups(adata, "perturbation", reference="control", method="t-test")
    table = de.sc.get.rank_genes_groups_df(adata, None)
    names = [name for name in profiles.obs["perturbation"] if name != "control"]
    theirs = (table["pvals_adj"] < 0.05).groupby(table["group"], observed=True).sum().reindex(names)
    assert welch.tolist() == theirs.tolist()


@pytest.mark.nightly
def test_every_row_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["de", "--groups", "2", "--every", "30", "--screens", "1"])
    monkeypatch.setattr(de, "SIZES", (20,))
    de.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("one batch | 20 | 4 | 0.000 (0.000) | ")
    assert sum("| 20 | " in line for line in lines) == 3
    assert sum(" / " in line and " de_" in line for line in lines) >= 4 * 3  # the scores of the true effects, by design
    assert lines[-1].startswith("Welch: ")
