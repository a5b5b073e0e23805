import pytest

from scpertbias._tables import power


@pytest.mark.parametrize("table", power.TABLES, ids=lambda table: table.name)
def test_stored_as_declared(table, as_declared):
    as_declared(table)
