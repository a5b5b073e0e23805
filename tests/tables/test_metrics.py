import pytest

from scpertbias._tables import metrics


@pytest.mark.parametrize("table", metrics.TABLES, ids=lambda table: table.name)
def test_stored_as_declared(table, as_declared):
    as_declared(table)
