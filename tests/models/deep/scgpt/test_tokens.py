import numpy as np
import pytest

from scpertbias._models.deep.scgpt.tokens import draw_genes, sequences, tokens_of, vocabulary, whole_cells

GENES = np.array([f"G{i}" for i in range(9)])
NAMES = ("control", "G1", "away", "G2+away", "far+off", "alien")
TARGETS = ((), ("G1",), ("away",), ("G2", "away"), ("far", "off"), ("alien",))


def vocab_of(*genes):
    return vocabulary(GENES, [genes])


@pytest.fixture
def tokens():
    return tokens_of(GENES, NAMES, TARGETS, vocab_of("away", "far", "off"), missing_target="token")


def test_vocabulary_holds_genes_targets_and_special_tokens_once():
    vocab = vocabulary(["B", "A", "A"], [("A",), ("Z", "Y"), ("Y",)])
    assert list(vocab) == ["<pad>", "<cls>", "<eoc>", "B", "A", "Y", "Z"]
    assert list(vocab.values()) == list(range(7))


def test_measured_targets_are_columns_and_others_are_tokens(tokens):
    vocab = vocab_of("away", "far", "off")
    assert tokens.columns == ((), (1,), (), (2,), (), ())
    assert tokens.extra == ((), (), (vocab["away"],), (vocab["away"],), (vocab["far"], vocab["off"]), ())
    assert tokens.cannot == {"alien": "alien outside the vocabulary"}
    assert tokens.unknown_genes == ()


def test_skip_leaves_out_what_is_not_measured():
    tokens = tokens_of(GENES, NAMES, TARGETS, vocab_of("away", "far", "off"), missing_target="skip")
    assert set(tokens.cannot) == {"away", "G2+away", "far+off", "alien"}
    assert "missing_target='skip'" in tokens.cannot["away"]
    assert not any(tokens.extra)


def test_a_gene_outside_the_vocabulary_is_pad_and_named():
    vocab = {"<pad>": 0, "G1": 1}
    tokens = tokens_of(GENES, ("control", "G2"), ((), ("G2",)), vocab, missing_target="token")
    assert tokens.genes.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert len(tokens.unknown_genes) == 8
    assert set(tokens.cannot) == {"G2"}, "measured, but without a token it cannot be flagged"


def test_drawn_genes_always_hold_the_perturbed_ones(tokens):
    perturbation = np.array([0, 1, 3, 2] * 50)
    genes = draw_genes(tokens, perturbation, 4, [[i] for i in range(200)])
    assert genes.shape == (200, 4)
    assert (np.diff(genes, axis=1) > 0).all(), "no gene twice, in order"
    assert (genes[perturbation == 1] == 1).any(axis=1).all()
    assert (genes[perturbation == 3] == 2).any(axis=1).all()
    others = genes[perturbation == 0]
    assert np.bincount(others.ravel(), minlength=9).min() > 0, "every gene has its turn"
    # of the other eight genes each is drawn 3 times in 8 where one place is taken
    share = np.bincount(genes[perturbation == 1].ravel(), minlength=9)[2] / 50
    assert abs(share - 3 / 8) < 0.25


def test_few_genes_are_all_taken(tokens):
    genes = draw_genes(tokens, np.array([1, 2]), 9, [])
    assert np.array_equal(genes, np.tile(np.arange(9), (2, 1)))


def test_sequences_by_hand(tokens):
    perturbation = np.array([1, 3, 0, 4])
    genes = np.array([[0, 1, 5], [2, 3, 4], [0, 1, 2], [6, 7, 8]])
    expression = np.arange(12, dtype=np.float32).reshape(4, 3)
    result = sequences(tokens, perturbation, genes, expression)
    vocab = vocab_of("away", "far", "off")
    for row, p in enumerate(perturbation):
        targets = TARGETS[p]
        ids = [vocab[GENES[g]] for g in genes[row]]
        values, flags = expression[row].tolist(), [int(GENES[g] in targets) for g in genes[row]]
        for gene in targets:
            if gene not in GENES:
                ids, values, flags = [*ids, vocab[gene]], [*values, 0.0], [*flags, 1]
        empty = 5 - len(ids)
        assert result.ids[row].tolist() == ids + [vocab["<pad>"]] * empty
        assert result.values[row].tolist() == values + [0.0] * empty
        assert result.flags[row].tolist() == flags + [0] * empty
        assert result.padding[row].tolist() == [False] * len(ids) + [True] * empty


def test_no_padding_where_all_are_of_one_length(tokens):
    assert sequences(tokens, np.array([0, 1]), np.array([[0, 1], [1, 2]]), np.ones((2, 2), np.float32)).padding is None
    whole = whole_cells(tokens, 4, np.ones((3, 9), np.float32))
    assert whole.padding is None
    assert whole.ids.shape == (3, 11)
