from scpertbias._report.wording.calibration import calibrated


def test_sentence():
    text = calibrated(0.0, 0.0, 0.037, 100, or_stronger=False)
    assert text == "On your own control cells this verdict is given in 0% (95% CI 0–4) of 100 screens."
    assert "or a stronger one" in calibrated(0.0, 0.0, 0.037, 100, or_stronger=True)
