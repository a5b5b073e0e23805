import pytest

from scpertbias import ds

NAMES = ["mt", "oxphos_nuclear", "ribo", "cell_cycle", "histone", "heat_shock", "upr_isr", "p53", "hemoglobin"]


def members(name, species="human"):
    sets = ds.confounder_sets(species)
    return set(sets.loc[sets["source"] == name, "target"])


def test_the_sets_are_a_tidy_frame_with_references():
    sets = ds.confounder_sets()
    assert list(sets.columns) == ["source", "target", "reference"]
    assert list(sets["source"].unique()) == NAMES
    assert not sets.duplicated(["source", "target"]).any()
    assert not sets.isna().any().any()
    assert (sets["target"] == sets["target"].str.strip()).all()


def test_mitochondrial_dna_has_13_protein_genes_and_two_rrnas():
    assert len(members("mt")) == 15
    assert {"MT-RNR1", "MT-RNR2", "MT-CYB", "MT-ND4L"} <= members("mt")


def test_ribosomal_proteins_are_a_strict_list():
    ribo = members("ribo")
    assert {"RPSA", "RPLP0", "RPLP2", "RPS4X", "RPL36A", "RPS27L", "FAU", "UBA52", "RACK1"} <= ribo
    assert not {"RPS6KB2", "RPS19BP1", "RPS6KA1", "MRPL3", "MRPS16"} & ribo
    # 47 proteins of the large and 33 of the small subunit, RACK1 among them; paralogs and an old name left out.
    single_copy = ribo - {
        "RPL3L", "RPL10L", "RPL22L1", "RPL26L1", "RPL36AL", "RPL39L", "RPS4Y1", "RPS4Y2", "RPS27L", "GNB2L1",
    }  # fmt: skip
    assert len(single_copy) == 80


def test_sets_that_must_not_overlap_do_not():
    assert not members("mt") & members("oxphos_nuclear")
    assert not members("ribo") & members("oxphos_nuclear")
    assert {"UQCC3", "MRPL12", "NDUFA4", "COX7C", "ATP5F1A", "ATP5A1", "SDHB"} <= members("oxphos_nuclear")


def test_cell_cycle_lists_are_complete():
    sets = ds.confounder_sets()
    phases = sets[sets["source"] == "cell_cycle"]["reference"].str.split(";").str[0].value_counts()
    # 43 and 54 names, and the present names of those since renamed.
    assert phases["S phase"] == 43 + 1
    assert phases["G2/M phase"] == 54 + 2


def test_mouse_symbols():
    assert {"mt-Nd1", "mt-Co1", "mt-Cytb", "mt-Rnr2"} <= members("mt", "mouse")
    assert {"Rps3", "Rpl36a", "Rpsa", "Fau"} <= members("ribo", "mouse")
    assert {"Hba-a1", "Hbb-bs"} <= members("hemoglobin", "mouse")
    assert "Trp53inp1" in members("p53", "mouse")
    assert not ds.confounder_sets("mouse").isna().any().any()
    assert not ds.confounder_sets("mouse").duplicated(["source", "target"]).any()


def test_another_species_is_an_error():
    with pytest.raises(ValueError, match="`species` is 'rat'; it must be 'human' or 'mouse'"):
        ds.confounder_sets("rat")


def test_a_changed_copy_does_not_change_the_next():
    sets = ds.confounder_sets()
    sets["target"] = "x"
    assert "MT-ND1" in members("mt")
