"""Configuration of the Sphinx documentation."""

from importlib.metadata import metadata

from sphinx.ext.intersphinx import missing_reference

info = metadata("scpertbias")
project = info["Name"]
author = "scpertbias developers"
copyright = author
version = release = info["Version"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
nitpicky = True

autosummary_generate = True
autodoc_member_order = "bysource"
default_role = "literal"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False
typehints_defaults = "braces"
always_use_bars_union = True

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are committed with their outputs and run by the tests
suppress_warnings = [
    "myst.xref_missing",  # links of the README to files of the repository, which are not pages
]

intersphinx_mapping = {
    "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
    "matplotlib": ("https://matplotlib.org/stable/", None),
    "mudata": ("https://mudata.readthedocs.io/stable/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "python": ("https://docs.python.org/3", None),
    "scanpy": ("https://scanpy.readthedocs.io/en/stable/", None),
    "scipy": ("https://docs.scipy.org/doc/scipy/", None),
}
# Where a class is defined is not where its documentation lists it.
PUBLIC = {
    "anndata._core.anndata.AnnData": "anndata.AnnData",
    "matplotlib.axes._axes.Axes": "matplotlib.axes.Axes",
    "mudata._core.mudata.MuData": "mudata.MuData",
    "numpy.random._generator.Generator": "numpy.random.Generator",
    "pandas.core.frame.DataFrame": "pandas.DataFrame",
    "pandas.core.series.Series": "pandas.Series",
}

html_theme = "sphinx_book_theme"
html_title = project


def resolve_public_name(app, env, node, contnode):
    """Look a class up under its public name."""
    if name := PUBLIC.get(node.get("reftarget")):
        node["reftarget"] = name
        return missing_reference(app, env, node, contnode)
    return None


def setup(app):
    """Connect what Sphinx has no option for."""
    app.connect("missing-reference", resolve_public_name, priority=400)
