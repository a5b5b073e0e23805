"""Which labels are the control: those that are named, else those that read so; what is in doubt is asked."""

import pytest

from scpertbias._labels.control import find_controls, nearest, reference_name, some_labels


def find(labels, reference=None, genes=(), unassigned=()):
    counts = labels if isinstance(labels, dict) else dict.fromkeys(labels, 10)
    return find_controls(
        counts, reference, groupby="gene", unassigned=dict.fromkeys(unassigned, 5), is_gene=lambda name: name in genes
    )


def test_the_order_of_the_data_is_kept():
    assert find(["b_2", "a", "b_1"], "b*").labels == ["b_2", "b_1"]


def test_a_pattern_that_takes_genes_is_refused():
    with pytest.raises(ValueError, match=r"'NT\*' also matches measured genes \('NTRK1', 'NTS'\).*\['NT_1', 'NT_2'\]"):
        find(["NT_1", "NT_2", "NTRK1", "NTS"], "NT*", genes={"NTRK1", "NTS"})
    assert find(["NT_1", "NT_2", "NTRK1", "NTS"], "NT_*", genes={"NTRK1", "NTS"}).labels == ["NT_1", "NT_2"]
    assert find(["NT_1", "NTRK1"], ["NT_1", "NTRK1"], genes={"NTRK1"}).labels == ["NT_1", "NTRK1"]


def test_a_measured_gene_is_asked_about():
    with pytest.raises(ValueError, match="'GFP' could be the control, but is also the name of a measured gene"):
        find(["GFP", "STAT1"], genes={"GFP", "STAT1"})
    assert find(["GFP", "STAT1"], "GFP", genes={"GFP", "STAT1"}).labels == ["GFP"]
    assert find(["GFP", "NT"], genes={"GFP"}).labels == ["NT"]
    assert find(["control", "STAT1"], genes={"control"}).labels == ["control"]


def test_negative_is_a_cell_without_a_guide_beside_another_control():
    for labels, unassigned in ((["negative", "NT"], ()), (["negative", "NT"], ("multiple",))):
        controls = find(labels, unassigned=unassigned)
        assert (controls.labels, controls.unassigned) == (["NT"], {"negative"})
    alone = find(["Negative", "STAT1"])
    assert alone.labels == ["Negative"]
    assert alone.reasons == {"Negative": "looks like a control (negative)"}
    with pytest.raises(ValueError, match="'negative', 'multiple' is interpreted as a label of cells without a guide"):
        find(["negative", "STAT1"], unassigned=["multiple"])
    assert find(["negative", "STAT1"], "negative", unassigned=["multiple"]).labels == ["negative"]
    assert find(["NT", "STAT1"], "multiple", unassigned=["multiple"]).labels == ["multiple"]


@pytest.mark.parametrize("pair", [("NO_SITE_1", "ONE_NON-GENE_SITE_2"), ("NT", "non-targeting"), ("ctrl", "NegCtrl1")])
def test_spellings_of_one_control_are_one(pair):
    assert find([*pair, "STAT1"]).labels == list(pair)


@pytest.mark.parametrize("pair", [("DMSO", "untreated"), ("NT", "AAVS1"), ("control", "NTC"), ("WT", "GFP")])
def test_different_controls_are_asked_about(pair):
    with pytest.raises(ValueError, match="several labels that could be the control"):
        find([*pair, "STAT1"])


def test_messages_list_the_largest_and_the_nearest():
    counts = {f"A{i}x": 1 for i in range(30)} | {"zebra": 900, "Non-Target": 50}
    assert some_labels(counts, 2) == "'Non-Target', 'zebra', … (32 labels)"
    with pytest.raises(ValueError, match=r"Did you mean 'Non-Target'\?"):
        find(counts, "non-targ")
    with pytest.raises(ValueError, match="Labels: 'zebra', 'A0x'"):
        find({label: n for label, n in counts.items() if label != "Non-Target"})


def test_codes_of_a_factor():
    with pytest.raises(ValueError, match="levels of a factor by codes"):
        find(["0", "1", "2"])


def test_nearest_knows_no_case():
    assert nearest(["stat1"], ["STAT1", "JAK2"]) == ["STAT1"]
    assert nearest(["zzz"], ["STAT1"]) == []


def test_the_name_of_the_control():
    assert reference_name(["NT_1", "NT_2"], ()) == "NT"
    assert reference_name(["DMSO", "PBS"], ()) == "control"
