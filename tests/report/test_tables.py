import math

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._report.tables import NAMES, plain, read, write_tables


def test_csv_hold_all_digits(audit, tmp_path):
    paths = write_tables(audit, tmp_path / "tables")
    assert sorted(p.stem for p in paths) == sorted(set(NAMES) - {"attribution_agreement", "calibration"}), (
        "not asked: no file"
    )
    again = pd.read_csv(tmp_path / "tables" / "summary.csv", keep_default_na=False, na_values=[""], encoding="utf-8")
    np.testing.assert_allclose(again["estimate"], spb.get.summary(audit)["estimate"], rtol=1e-12)


def test_what_is_no_audit_is_refused(audit):
    audit.uns.clear()
    with pytest.raises(KeyError, match=r"spb\.tl\.audit"):
        read(audit)


def test_plain():
    given = {"a": [np.float64("nan"), math.inf, np.int64(3), pd.NA, None, "x"], "b": np.bool_(True)}
    assert plain(given) == {"a": [None, None, 3, None, None, "x"], "b": True}
