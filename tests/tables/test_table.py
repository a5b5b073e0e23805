import ast
from pathlib import Path

import pytest

import scpertbias
from scpertbias import _tables
from scpertbias._docs import docs
from scpertbias._tables.table import JSON_TYPES, MODEL, SHARED, Column, Table

SRC = Path(scpertbias.__file__).parent
NUMBER = Column("ratio", "float64", "Ratio of the two.", tip=True, unit="seconds")
KIND = Column("kind", "str", "Kind.", values={"a": "first", "b": ""})
TABLE = Table("x", "spb.tl.x", "About x.", "One row per model.", (MODEL, KIND, NUMBER), regime_at=1)


def every_table():
    return pytest.mark.parametrize("table", _tables.TABLES.values(), ids=lambda table: table.name)


def test_a_column_fills_in_what_is_not_given():
    assert (NUMBER.label, NUMBER.form, NUMBER.help) == ("ratio", "number", "ratio of the two, seconds")
    assert (KIND.form, KIND.help) == ("text", "")
    assert KIND.described() == "Kind. Values: ``a`` (first), ``b``."
    assert NUMBER.described() == "Ratio of the two. Unit: seconds."


def test_an_audit_has_the_regime_beside_it():
    assert [column.name for column in TABLE.in_audit()] == ["model", "regime", "kind", "ratio"]
    assert list(TABLE.empty().dtypes.astype(str).drop(["model", "kind"])) == ["float64"]
    assert list(TABLE.empty(audit=True).columns) == ["model", "regime", "kind", "ratio"]
    assert TABLE.pick("ratio", "regime")[0] is NUMBER
    with pytest.raises(KeyError):
        TABLE.pick("rate")


def test_schema_of_a_table():
    items = TABLE.json_schema(kind="a")["items"]
    assert items["required"] == ["model", "regime", "kind", "ratio"]
    assert items["properties"]["model"] == {"$ref": "#/$defs/columns/model"}
    kind = {"type": "string", "description": "Kind. Always `a` here.", "enum": ["a"]}
    assert items["properties"]["kind"] == kind
    assert items["properties"]["ratio"]["type"] == ["number", "null"]
    assert TABLE.json_schema()["items"]["properties"]["kind"]["enum"] == ["a", "b"]


def test_docstring_parts_of_a_table():
    assert TABLE.as_result().splitlines()[:4] == [
        ":class:`pandas.DataFrame`",
        "    One row per model.",
        "",
        "    - ``model``: Name of the model; ``observed`` is the data.",
    ]
    assert "``regime`` (in an audit only)" in TABLE.as_result()
    assert "regime" not in TABLE.as_field()
    assert TABLE.as_field("mdata").startswith(
        "``mdata.uns['scpertbias']['x']`` : :class:`pandas.DataFrame`\n    Read it"
    )


@every_table()
def test_declarations_are_whole(table):
    names = [column.name for column in table.in_audit()]
    assert len(names) == len(set(names))
    assert {column.dtype for column in table.columns} <= set(JSON_TYPES)
    for text in (table.sentence, table.rows, *(column.sentence for column in table.columns)):
        assert text.endswith("."), text
    assert {f"table_{table.name}", f"field_{table.name}"} <= set(docs.params)
    assert _tables.columns(table.name, audit=True) == names == list(_tables.empty(table.name, audit=True).columns)


def test_every_stored_table_is_declared(stored):
    assert set(stored) <= set(_tables.TABLES)
    made_when_read = {"described", "training", "planted", "de"}  # by the report, and by get.de
    assert set(_tables.TABLES) - set(stored) == made_when_read


def test_shared_columns_are_described_once():
    assert len({column.name for column in SHARED}) == len(SHARED)


def test_read_says_what_to_run():
    with pytest.raises(KeyError, match=r"spb\.tl\.recurrence"):
        _tables.read(scpertbias.ds.simulate(200, 20, 2), "recurrence")


def literals(path):
    """The lists of words in a module, as sets with the line of each."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            words = [one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if words and len(words) == len(node.elts):
                yield set(words), node.lineno


def test_no_other_module_lists_the_columns_of_a_table():
    declared = {table.name: {column.name for column in table.columns} for table in _tables.TABLES.values()}
    again = [
        f"{path.relative_to(SRC)}:{line} lists the columns of {name!r}"
        for path in SRC.rglob("*.py")
        if path.parent.name != "_tables"
        for words, line in literals(path)
        for name, columns in declared.items()
        if len(words) > 2 and len(words & columns) >= 0.75 * max(len(columns), len(words))
    ]
    assert not again
