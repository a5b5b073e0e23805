"""Docstring parts that several functions share."""

from __future__ import annotations

from docrep import DocstringProcessor

docs = DocstringProcessor(
    adata="""\
adata
    Cells (log-normalized), or profiles made by :func:`scpertbias.pp.profiles`.""",
    groupby="""\
groupby
    Column of ``obs`` that names each cell's perturbation.""",
    reference="""\
reference
    The control: a name, a list of names, or a pattern such as ``"non-targeting*"``. By default found by its wording
    (control, ctrl, non-targeting, NT, DMSO, …).
combination_sep
    What separates the parts of a combination (``"+"``). By default labels are split where every part is a measured gene,
    another label or the control; ``""``: no label is a combination.
label_map
    What labels mean, against every guess: a mapping of labels to targets (``"A+B"``, the name of the control, ``""`` to
    leave out), or a CSV or TSV file with these two columns. ``"targets"`` pools guides, clones, doses and classes of the
    same target; ``"single"`` leaves out cells with several targets (high multiplicity of infection).""",
    batch_key="""\
batch_key
    Column or columns of ``obs`` (batch, donor, cell line): each cell is centered by the control mean of its own
    batch.""",
    min_cells="""\
min_cells
    Perturbations with fewer cells are left out, and listed.""",
    layer="""\
layer
    Layer to read instead of ``X``.""",
    split_key="""\
split_key
    Column of ``obs`` with ``train``, ``val`` and ``test``; where it is missing, all rows are ``train``.""",
    gene_symbols="""\
gene_symbols
    Column of ``var`` with gene symbols; used by itself where ``var_names`` are Ensembl ids and such a column exists.""",
    key_added="""\
key_added
    Name under which the result is stored.""",
    rng="""\
rng
    Seed or generator.""",
    copy="""\
copy
    Whether to change a copy and return it.""",
    models="""\
models
    Names of the stored models; by default all.""",
    models_and_regime="""\
models
    Name or names of models; by default all.
regime
    Of an audit, the regime or regimes; by default all.""",
    plot="""\
ax
    Axes to draw in; by default a new figure.
palette
    Colors of the models: a mapping from model to color. By default those in ``uns["model_colors"]``, where they are kept.
figsize
    Width and height in inches.
show
    Whether to show the figure; by default as ``scanpy.settings.autoshow`` says, never where ``ax`` was given.
return_fig
    Whether to return the figure.""",
)
_CELLS = ("groupby", "reference", "batch_key", "min_cells", "layer", "split_key", "gene_symbols")
docs.params["cells"] = "\n".join(docs.params[name] for name in _CELLS)
docs.params["cells_of_audit"] = docs.params["cells"].replace(
    docs.params["batch_key"],
    f"""\
{docs.params["batch_key"]} By default, columns with which labels are confounded are adopted, at most two
    (:func:`scpertbias.tl.balance` tests them); each takes another pass over the cells. ``None``: no batches. Profiles stay as
    they are, and a warning names the column.""",
)
docs.params["stored"] = """\
Returns ``None`` if ``copy=False``, else the changed copy."""
