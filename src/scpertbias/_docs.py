"""Docstring parts that several functions share."""

from __future__ import annotations

from docrep import DocstringProcessor

docs = DocstringProcessor(
    adata="""\
adata
    Cells (log-normalized), or profiles made by :func:`scpertbias.pp.profiles`.""",
    groupby="""\
groupby
    Column of ``obs`` with the perturbation of each cell.""",
    reference="""\
reference
    Label of the control cells: a name, a list of names, or a pattern such as ``"non-targeting*"``. By default, the
    label is inferred from common names (control, ctrl, non-targeting, NT, DMSO, …).
combination_sep
    Separator in labels of combinations (``"+"``). By default, a label is split if every part is a measured gene,
    another label or the control. With ``""``, no label is split.
label_map
    Targets of the labels, which replace the automatic interpretation. Pass a mapping from label to targets, or a CSV or
    TSV file with two columns, label and targets. The targets of a combination are written ``"A+B"``. For a control
    label, pass the name of the control. If the targets of a label are ``""``, its cells are left out. Instead of a
    mapping, you can pass one of two words. With ``"targets"``, guides, clones, doses and classes of the same target are
    pooled. With ``"single"``, cells with several targets are left out (high multiplicity of infection).""",
    batch_key="""\
batch_key
    Column or columns of ``obs`` with batches, donors or cell lines. Each cell is compared with the control mean of its
    own batch.""",
    min_cells="""\
min_cells
    Minimum number of cells per perturbation. Perturbations with fewer cells are left out;
    :func:`scpertbias.pp.check` lists these.""",
    layer="""\
layer
    Layer to read instead of ``X``.""",
    split_key="""\
split_key
    Column of ``obs`` with ``train``, ``val`` and ``test``; if it is missing, all rows are ``train``.""",
    gene_symbols="""\
gene_symbols
    Column of ``var`` with gene symbols. By default ``var_names``, or an inferred column if these are Ensembl ids.""",
    key_added="""\
key_added
    Name under which the result is stored.""",
    rng="""\
rng
    Seed or generator.""",
    copy="""\
copy
    Whether to return a changed copy instead of changing the data.""",
    models="""\
models
    Names of the stored models; by default all.""",
    models_and_regime="""\
models
    Name or names of models; by default all.
regime
    For an audit: the regime or regimes; by default all.""",
    plot="""\
ax
    Axes to plot in; by default a new figure.
palette
    Colors of the models: a mapping from model to color. By default the colors stored in ``uns["model_colors"]``.
figsize
    Width and height in inches.
show
    Whether to show the figure; by default ``scanpy.settings.autoshow``, and never if ``ax`` is given.
return_fig
    Whether to return the figure.""",
)
_CELLS = ("groupby", "reference", "batch_key", "min_cells", "layer", "split_key", "gene_symbols")
docs.params["cells"] = "\n".join(docs.params[name] for name in _CELLS)
docs.params["cells_of_audit"] = docs.params["cells"].replace(
    docs.params["batch_key"],
    f"""\
{docs.params["batch_key"]} By default, the audit uses up to two columns that :func:`scpertbias.tl.balance`
    finds confounded with the labels; each column needs another pass over the cells. ``None``: no batches. The batches
    of profiles cannot be changed; a warning names the confounded column.""",
)
docs.params["stored"] = """\
Returns ``None`` if ``copy=False``, otherwise the changed copy."""
