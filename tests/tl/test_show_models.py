import scpertbias as spb
from scpertbias._models._base import specs
from scpertbias.tl._show_models import unseen_by_axis


def test_one_row_a_model():
    table = spb.tl.show_models().set_index("model")
    assert list(table.index) == list(specs())
    assert table.loc["grn_linear", "needs"] == "net"
    assert table.loc["ridge", "function"] == "fit_ridge"
    assert table.loc["bilinear", "closed_form"]
    assert not table.loc["external", "closed_form"]
    assert all(hasattr(spb.tl, name) for name in table["function"])


def test_models_of_two_axes_say_what_each_of_them_predicts():
    table = spb.tl.show_models().set_index("model")
    axes = unseen_by_axis()
    assert set(axes) == {"grn_linear", "two_stage"}
    for model, words in axes.items():
        assert list(words) == ["genes", "perturbations"]
        assert all(text in table.loc[model, "unseen"] for text in words.values())
