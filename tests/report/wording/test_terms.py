from scpertbias._report.wording.terms import gains, genes_of, rows_of, sample_size, sample_sizes, shares, verb, without


def test_an_interval_of_few_is_approximate():
    assert (sample_size(49), sample_size(50)) == ("n = 49, approximate", "n = 50")
    assert (sample_size(150, 19.9), sample_size(150, 20)) == ("n = 150, approximate", "n = 150")
    assert sample_sizes({"n": [60, 60], "n_effective": [30.0, 12.0]}) == ["n = 60", "n = 60, approximate"]


def test_gains_have_interval_and_n():
    facts = {"model": ["x"], "n": [12], "gain": [-0.1], "ci_low": [-0.2], "ci_high": [0.0]}
    assert gains(facts, "gain") == "x −0.100 [−0.200, 0] (n = 12, approximate)"


def test_shares_have_their_interval():
    assert shares({"skill": [0.2], "ci_low": [0.1], "ci_high": [0.3]}, "skill") == ["20 % [10, 30]"]


def test_lists_of_facts_are_rows():
    assert rows_of({"a": [1, 2], "b": [3, 4], "c": 0}, "a", "b") == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


def test_names_without_words_stay():
    assert (genes_of("mt"), genes_of("mine")) == ("mitochondrial genes", "genes of the set mine")
    assert (without("no_mt"), without("mine")) == ("without mitochondrial genes", "mine")


def test_one_does_and_two_do():
    assert (verb(["a"], "do", "does"), verb(["a", "b"], "do", "does")) == ("does", "do")
