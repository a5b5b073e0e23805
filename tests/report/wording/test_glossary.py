import re

from scpertbias._report.wording.glossary import GLOSSARY


def test_terms_are_explained_in_short_sentences():
    for name, text in GLOSSARY.items():
        assert text.endswith("."), name
        for sentence in re.split(r"(?<=[.;:])\s", text):
            assert len(sentence.split()) <= 25, sentence
