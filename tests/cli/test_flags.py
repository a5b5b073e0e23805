"""Messages name flags where the functions that they come from name arguments."""

import argparse
import inspect

import pytest

import scpertbias as spb
from scpertbias._cli.flags import FLAGS, in_flags
from scpertbias._cli.options import parser


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pool them with label_map='targets', or pass it.", "Pool them with --label-map targets, or pass it."),
        ("`label_map` matches no label", "--label-map matches no label"),
        ("Pass batch_key='gem group'.", "Pass --batch 'gem group'."),
        ("Pass batch_key='gem, group'.", "Pass --batch '\"gem, group\"'."),
        ("Pass reference='a, b'.", "Pass --reference 'a, b'."),
        ("omit batch_key: x", "omit --batch: x"),
        ("`kind='delta'`; pass kind='log2fc'", "--kind delta; pass --kind log2fc"),
        ("Pass reference=['a', 'b*'].", "Pass --reference a --reference 'b*'."),
        ("Pass size_factors=, the column", "Pass --size-factors, the column"),
        ("Pass target_sum=1 for factors", "Pass --target-sum 1 for factors"),
        ("`control='predicted'`, but", "--control predicted, but"),
        ("batch_key=None", "--batch none"),
        ("or name the layer (layer=).", "or name the layer (--layer)."),
        ("the control of the models and a test layer", "the control of the models and a test layer"),
        ("obs['split_key'] and var[\"gene_symbols\"]", "obs['split_key'] and var[\"gene_symbols\"]"),
        ("names of 'gene_symbols' in my_column", "names of 'gene_symbols' in my_column"),
        ("No covariate (`covariates` of spb.pp.profiles).", "No covariate (--covariates)."),
        ("Or pass test=[…].", "Or pass --test."),
        ("Pass control='predicted' to spb.tl.add_predictions, or", "Pass --control predicted, or"),
        (
            "Use gene names as columns, or pass gene_names= with 3 names (for GEARS, adata.var['gene_name']).",
            "Use gene names as columns.",
        ),
        ("pass net=spb.pp.jaccard_net(terms, genes=…) with the genes.", "pass --net with the genes."),
        ("of all genes (size_factors=).", "of all genes (--size-factors)."),
        ("sc.pp.normalize_total(adata, target_sum=1e4)", "sc.pp.normalize_total(adata, target_sum=1e4)"),
    ],
)
def test_arguments_become_flags(text, expected):
    assert in_flags(text) == expected


NOT_ON_THE_COMMAND_LINE = {
    *("adata", "fit_on", "normalize", "keep_predictions", "chunk_memory"),
    *("key_added", "gene_names", "attributions", "copy"),
}


@pytest.mark.parametrize("function", [spb.tl.audit, spb.tl.add_predictions])
def test_every_argument_has_a_flag(function):
    assert set(inspect.signature(function).parameters) - set(FLAGS) <= NOT_ON_THE_COMMAND_LINE
    assert not NOT_ON_THE_COMMAND_LINE & set(FLAGS)


def test_every_flag_is_an_option():
    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    options = {
        option
        for command in commands.choices.values()
        for action in command._actions
        for option in action.option_strings
    }
    assert set(FLAGS.values()) <= options
