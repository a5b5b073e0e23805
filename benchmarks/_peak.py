"""The command line of scpertbias, and on its last lines the processor time and the largest memory that it took."""

import sys
import time

from scpertbias._cli.main import main

from ._measure import peak_memory_gb

if __name__ == "__main__":
    code = main()
    print(f"cpu_s {time.process_time():.1f}", file=sys.stderr)
    print(f"peak_gb {peak_memory_gb():.3f}", file=sys.stderr)
    raise SystemExit(code)
