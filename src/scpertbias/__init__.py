"""What do perturbation-prediction models really learn?"""

from importlib.metadata import version

from . import ds, get, pl, pp, tl
from ._report import report

__all__ = ["ds", "get", "pl", "pp", "report", "tl"]
__version__ = version("scpertbias")
