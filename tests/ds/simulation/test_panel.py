from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.ds._simulation.panel import (
    DEFAULT_DEPTH,
    default_depth,
    draw_measured_targets,
    draw_targets,
    gene_panel,
    is_mitochondrial,
    set_members,
)


def test_the_default_panel_is_the_published_one_and_one_more():
    panel = gene_panel(1187)
    assert panel["gene"].is_unique
    assert is_mitochondrial(panel["gene"]).sum() == 13
    assert panel["gene"].isin(set_members("ribo")).sum() == 45
    assert panel["panel"].sum() == 1186
    assert default_depth(panel) == DEFAULT_DEPTH
    assert (panel["relative_expression"] > 0).all()
    assert panel["size"].between(0.05, 30).all()


@pytest.mark.parametrize("n_genes", [10, 57, 300, 1000])
def test_a_smaller_panel_keeps_the_gene_classes_in_proportion(n_genes):
    panel = gene_panel(n_genes)
    assert len(panel) == n_genes
    assert panel["gene"].is_unique
    assert is_mitochondrial(panel["gene"]).sum() == max(1, round(n_genes * 13 / 1186))
    assert panel["gene"].isin(set_members("ribo")).sum() == max(1, round(n_genes * 45 / 1186))
    if n_genes >= 300:
        assert default_depth(panel) / DEFAULT_DEPTH == pytest.approx(n_genes / 1187, rel=0.2)


def test_a_larger_panel_adds_the_most_expressed_genes():
    panel = gene_panel(3000)
    added = panel["relative_expression"].to_numpy()[1186:]
    assert (np.diff(added) <= 0).all()
    assert panel["gene"].is_unique
    assert "FTH1" in set(panel["gene"])
    with pytest.raises(ValueError, match="n_genes=20000 is more than the 12000 genes"):
        gene_panel(20_000)


def test_targets_are_published_ones_and_then_others():
    rng = np.random.default_rng(0)
    assert draw_targets(681, rng)["target"].nunique() == 681
    many = draw_targets(722, rng)
    assert many["target"].nunique() == 722
    assert (many["cluster"] == -1).sum() == 41
    assert set(draw_targets(50, rng)["target"]) < set(many["target"])
    with pytest.raises(ValueError, match="n_perturbations=20000 is more than"):
        draw_targets(20_000, rng)


def test_measured_targets_keep_their_published_clusters():
    published = pd.read_csv(Path(spb.__file__).parent / "ds" / "data" / "replogle_targets.csv")
    candidates = np.array(["NOT-PUBLISHED", *published["target"].iloc[:30]], dtype=object)
    drawn = draw_measured_targets(candidates, 31, np.random.default_rng(0))
    known = dict(zip(published["target"], published["cluster"], strict=True))
    assert set(drawn["target"]) == set(candidates)
    assert drawn["cluster"].is_monotonic_increasing
    assert all(known.get(t, -1) == c for t, c in zip(drawn["target"], drawn["cluster"], strict=True))
