import gzip

import pytest

import scpertbias.ds._hallmark as module
from scpertbias.ds._hallmark import hallmark, plain_name, read_gmt


def test_hallmark_is_whole():
    sets = hallmark()
    assert list(sets.columns) == ["source", "target"]
    assert sets["source"].nunique() == 50
    assert len(sets) == 7324
    assert sets["source"].str.startswith("HALLMARK_").all()
    assert not sets.duplicated().any()
    assert {"STAT1", "JAK2"} <= set(sets.loc[sets["source"] == "HALLMARK_INTERFERON_GAMMA_RESPONSE", "target"])


def test_names_in_plain_words_keep_acronyms():
    assert plain_name("HALLMARK_TNFA_SIGNALING_VIA_NFKB") == "Hallmark TNFA signaling via NFKB"
    assert plain_name("HALLMARK_KRAS_SIGNALING_DN") == "Hallmark KRAS signaling down"
    assert plain_name("HALLMARK_G2M_CHECKPOINT") == "Hallmark G2M checkpoint"


def test_each_caller_has_a_copy():
    hallmark().drop(columns="source", inplace=True)
    assert "source" in hallmark()


def test_the_license_ships_with_it():
    notice = module.files(module.__package__) / "data" / "licenses"
    assert "hallmark.gmt" in (notice / "NOTICE.txt").read_text(encoding="utf-8")
    assert (notice / "hallmark-pathway-assessor-MIT.txt").is_file()


@pytest.mark.parametrize("packed", [False, True])
def test_names_may_hold_blanks(tmp_path, packed):
    """As those of Gene Ontology do; splitting at blanks would make genes of words."""
    text = "response to X (GO:1)\thttp://x\tA\tB\tA\t\n\nother\t\tC\r\n"
    path = tmp_path / ("sets.gmt.gz" if packed else "sets.gmt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_gmt(path).to_numpy().tolist() == [
        ["response to X (GO:1)", "A"],
        ["response to X (GO:1)", "B"],
        ["other", "C"],
    ]


def test_what_is_no_gmt_is_refused(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("source,target\nA,B\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"sets\.gmt cannot be read.*line 1: .* separated by tabs"):
        read_gmt(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ValueError, match="contains no gene set"):
        read_gmt(path)
