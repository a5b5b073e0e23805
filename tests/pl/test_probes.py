import numpy as np
import pytest

import scpertbias as spb
from scpertbias._core.probe_scores import DEFAULT
from scpertbias.pl._probes import LABELS, probes


@pytest.fixture(scope="module")
def profiles():
    data = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    spb.tl.probes(data, metrics=["mse", "pearson_delta"], functions={"nothing": lambda x, y, c: 1.0}, n_boot=0)
    return data


def test_cells_are_those_of_the_table(profiles):
    ax = probes(profiles, show=False)
    table = spb.get.probes(profiles)
    drawn = np.ma.getdata(ax.images[0].get_array())
    wide = table.pivot(index="probe", columns="metric", values="scaled").loc[
        table["probe"].unique(), table["metric"].unique()
    ]
    np.testing.assert_allclose(drawn, wide)
    assert ax.images[0].get_clim() == (-1, 1)
    texts = {text.get_text() for text in ax.texts}
    assert f"{wide.loc['replicate_flipped', 'mse']:.2f}".replace("-", "−") in texts, "clipped in color, not in number"
    assert len(ax.texts) == np.isfinite(wide.to_numpy()).sum()
    assert np.isnan(drawn[:, -1]).all(), "no room: gray"
    assert [label.get_text() for label in ax.get_yticklabels()][0] == "no change"


def test_chosen_rows_and_columns(profiles):
    ax = probes(profiles, probe=["mean", "replicate"], metric="mse", show=False)
    assert ax.images[0].get_array().shape == (2, 1)
    with pytest.raises(KeyError, match="'rmse'"):
        probes(profiles, metric="rmse", show=False)


def test_every_default_metric_has_a_label():
    assert list(LABELS) == list(DEFAULT)
