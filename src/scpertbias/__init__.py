"""What do perturbation-prediction models really learn?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["compare", "data_card", "ds", "get", "pl", "pp", "report", "tl"]

if TYPE_CHECKING:
    from . import ds, get, pl, pp, tl
    from ._report import compare, data_card, report

    __version__: str
else:  # type checkers would take any name for granted

    def __getattr__(name: str) -> Any:
        """Import what is first used, so that the command line answers ``--help`` without scanpy."""
        from importlib import import_module, metadata

        if name == "__version__":
            value = metadata.version("scpertbias")
        elif name in ("compare", "data_card", "report"):
            from . import _report

            value = getattr(_report, name)
        elif name in __all__:
            value = import_module(f".{name}", __name__)
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
