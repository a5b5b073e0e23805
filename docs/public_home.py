"""Write the account of the public repository wherever an address stands: ``python docs/public_home.py ACCOUNT``."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CITATION.cff", "docs/scverse-meta.yaml")
ADDRESS = re.compile(r"(?:(?<=github\.com/)|(?<=usercontent\.com/))[\w-]+(?=/scpertbias\b)")


def accounts():
    """Return the accounts that the addresses name, by file."""
    return {name: set(ADDRESS.findall((ROOT / name).read_text(encoding="utf-8"))) for name in FILES}


if __name__ == "__main__":
    (account,) = sys.argv[1:]
    for name in FILES:
        text = (ROOT / name).read_text(encoding="utf-8")
        (ROOT / name).write_text(ADDRESS.sub(account, text), encoding="utf-8")
