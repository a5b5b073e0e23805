import numpy as np
import pytest

import scpertbias as spb
from scpertbias.tl._effects import effects


def test_genes_errors_and_predictions(small_audit):
    stored = effects(small_audit["full"])
    name = stored.names[0]
    ax = spb.pl.perturbation(small_audit, name, n_genes=8, show=False)
    genes = [label.get_text() for label in ax.get_yticklabels()]
    columns = [list(stored.symbols).index(gene) for gene in genes]
    z = np.abs(stored.z[0])
    assert sorted(z[columns], reverse=True) == pytest.approx(z[columns])
    assert z[columns].min() >= np.nanmax(np.delete(z, columns))
    observed = ax.containers[0]
    np.testing.assert_allclose(observed.lines[0].get_xdata(), stored.observed[0, columns])
    ends = np.array([s[:, 0] for s in observed.lines[2][0].get_segments()])
    np.testing.assert_allclose(np.ptp(ends, axis=1), 2 * 1.96 * stored.errors[0, columns])
    predicted = spb.get.predictions(small_audit, "mean").loc[name].to_numpy()[columns] - stored.control[columns]
    (line,) = [line for line in ax.lines if line.get_label().startswith("mean")]
    np.testing.assert_allclose(line.get_xdata(), predicted, atol=1e-6)
    row = spb.get.perturbations(small_audit, perturbation=name).iloc[0]
    assert (
        ax.get_title()
        == f"strongest genes of {name}, {row['n_cells']} cells, reproducibility {row['reproducibility']:.2f}, {row['kind']}"
    )


def test_the_legend_shows_the_scores(small_audit):
    name = effects(small_audit["full"]).names[3]
    ax = spb.pl.perturbation(small_audit, name, models="mean", show=False)
    scores = spb.get.scores(
        small_audit, models="mean", regime="full", trained_on="full", perturbation=name, split="test"
    )
    text = f"r {scores['pearson_delta_unshared'].item():.2f}, relative error 1.00".replace("-", "−")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["observed (95% interval)", f"mean\n{text}"]


def test_a_model_that_has_seen_it_is_not_drawn():
    cells = spb.ds.simulate(900, 60, 6, rng=0)
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(cells)
    spb.tl.fit_mean(profiles)
    obs = profiles.obs[~profiles.obs["is_reference"]]
    seen, unseen = (str(obs.loc[obs["split"] == split, "perturbation"].iloc[0]) for split in ("train", "test"))
    assert len(spb.pl.perturbation(profiles, unseen, show=False).get_legend().get_texts()) == 2
    ax = spb.pl.perturbation(profiles, seen, show=False)
    assert len(ax.get_legend().get_texts()) == 1
    assert "no prediction by a model that has not seen it" in ax.get_title()


def test_what_is_not_there(small_audit):
    with pytest.raises(KeyError, match="`perturbation`: 'x' not available"):
        spb.pl.perturbation(small_audit, "x")
    with pytest.raises(KeyError, match="no predictions of 'gears'"):
        spb.pl.perturbation(small_audit, effects(small_audit["full"]).names[0], models="gears")
