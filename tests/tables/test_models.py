import pandas as pd
import pytest

from scpertbias._report.content import described
from scpertbias._tables import models

MADE_BY_THE_REPORT = (models.DESCRIBED, models.TRAINING, models.PLANTED)


@pytest.mark.parametrize(
    "table", [table for table in models.TABLES if table not in MADE_BY_THE_REPORT], ids=lambda table: table.name
)
def test_stored_as_declared(table, as_declared):
    as_declared(table)


def test_the_report_describes_models_as_declared(stored):
    table = described(stored["models"], {})
    assert list(table.columns) == [column.name for column in models.DESCRIBED.columns]
    assert pd.api.types.is_integer_dtype(table["n_unpredicted"])
