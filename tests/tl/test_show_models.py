import scpertbias as spb
from scpertbias._models._base import specs


def test_one_row_a_model():
    table = spb.tl.show_models().set_index("model")
    assert list(table.index) == list(specs())
    assert table.loc["grn_linear", "needs"] == "net"
    assert table.loc["ridge", "function"] == "fit_ridge"
    assert table.loc["bilinear", "closed_form"]
    assert not table.loc["external", "closed_form"]
    assert all(hasattr(spb.tl, name) for name in table["function"])
