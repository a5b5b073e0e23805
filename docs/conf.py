"""Configuration of the Sphinx documentation."""

import builtins
import sys
import tomllib
import warnings
from importlib.metadata import metadata
from pathlib import Path
from urllib.request import Request, urlopen

from sphinx.ext.intersphinx import missing_reference
from sphinx.util import logging

# Of an extension's own calls to Sphinx, once for every docstring.
warnings.filterwarnings("ignore", message=".*set_application' is deprecated")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

info = metadata("scpertbias")
project = info["Name"]
author = "scpertbias developers"
copyright = author
version = release = info["Version"]
# The one place where the address is written is pyproject.toml; docs/public_home.py copies it elsewhere.
urls = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_autodoc_typehints",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    *sorted(path.stem for path in (HERE / "extensions").glob("*.py")),
]
exclude_patterns = ["_build", "_templates", "extensions", "**.ipynb_checkpoints"]
nitpicky = True
add_function_parentheses = False
# What `tl.external_model` returns is passed on to an audit; the class is not public.
nitpick_ignore = [("py:class", "scpertbias.tl._external_model.ExternalModel")]

autosummary_generate = True
templates_path = ["_templates"]  # titles without the name of the package
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

SITES = {
    "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
    "matplotlib": ("https://matplotlib.org/stable/", None),
    "mudata": ("https://mudata.readthedocs.io/stable/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "python": ("https://docs.python.org/3", None),
    "scanpy": ("https://scanpy.readthedocs.io/en/stable/", None),
    "scipy": ("https://docs.scipy.org/doc/scipy/", None),
}


def reachable(site: str) -> bool:
    """Whether a site's list of names can be fetched."""
    request = Request(f"{site.rstrip('/')}/objects.inv", method="HEAD", headers={"User-Agent": "sphinx"})
    try:
        with urlopen(request, timeout=10):
            return True
    except OSError:
        return False


def names_of(project: str) -> str:
    """Return a pattern of the names that a project documents."""
    if project != "python":
        return rf"{project}\..+"
    modules = "|".join(sorted(sys.stdlib_module_names))
    return rf"(?:{'|'.join(dir(builtins))}|(?:{modules})\..+)"


# Without a network a reference to another project cannot be checked. It is then excused, project by project, and said;
# a reference to a name of this package never is.
intersphinx_mapping = {name: site for name, site in SITES.items() if reachable(site[0])}
unchecked = [name for name in SITES if name not in intersphinx_mapping]
nitpick_ignore_regex = [(r"py:.+", names_of(name)) for name in unchecked]
if unchecked:
    logging.getLogger(__name__).info("not reachable, so references to them are not checked: %s", ", ".join(unchecked))

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
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme_options = {
    "repository_url": urls["Source"],
    "path_to_docs": "docs",
    "use_repository_button": True,
    "use_issues_button": True,
}


def resolve_public_name(app, env, node, contnode):
    """Look a class up under its public name."""
    if name := PUBLIC.get(node.get("reftarget")):
        node["reftarget"] = name
        return missing_reference(app, env, node, contnode)
    return None


def setup(app):
    """Connect what Sphinx has no option for."""
    app.connect("missing-reference", resolve_public_name, priority=400)
