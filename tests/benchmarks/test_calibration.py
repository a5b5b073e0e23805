"""The command behind the rates of null screens runs, and the data questions are quiet."""

from benchmarks import calibration

from scpertbias import get, tl


def test_quiet_on_a_simulated_screen():
    (_, adata, batch_key) = list(calibration.cells())[1]
    tl.calibrate(adata, n_screens=3, batch_key=batch_key, covariates=(), models=())
    table = get.calibration(adata)
    assert not table["flag"].any()
    assert (table["n"] == 3).all()
