from scpertbias._report.wording.calibration import calibrated


def test_sentence():
    text = calibrated(0.0, 0.0, 0.037, 100, or_stronger=False)
    assert "repeated on 100 screens without effects" in text
    assert text.endswith("It gave this verdict in 0% of these screens (95% CI 0–4).")
    assert "or a stronger one" in calibrated(0.0, 0.0, 0.037, 100, or_stronger=True)
