import pytest

from scpertbias.tl._external_model import external_model


class Nothing:
    def fit(self, adata):
        """Nothing to learn."""


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "either `command`, or `model`"),
        ({"command": "{cells} {predictions}", "model": Nothing()}, ValueError, "either `command`, or `model`"),
        ({"model": Nothing()}, TypeError, r"a Nothing; it must have the methods fit\(adata\) and predict"),
        ({"command": "train --cells {cells}"}, ValueError, r"has no \{predictions\}: train"),
        ({"command": ["train", "{seed}"]}, ValueError, r"has no \{cells\} and no \{predictions\}"),
        ({"command": ["{cells}", "{predictions}"], "shell": True}, ValueError, "needs a single string"),
        ({"command": "{cells} {predictions}", "kind": "x"}, ValueError, "kind"),
        ({"command": "{cells} {predictions}", "time_limit": 0}, ValueError, "`time_limit` is 0"),
    ],
)
def test_what_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        external_model("mine", **options)


def test_words_of_a_command_stay_words():
    assert external_model("mine", command=["a b", "{cells}", "{predictions_h5ad}"]).command[0] == "a b"
