"""The command line of scpertbias, and on its last line the largest memory that it took."""

import sys

from scpertbias._cli import main

from ._measure import peak_memory_gb

if __name__ == "__main__":
    code = main()
    print(f"peak_gb {peak_memory_gb():.3f}", file=sys.stderr)
    raise SystemExit(code)
