import subprocess
import sys

_SCRIPT = """
import builtins, io, sys
import scpertbias.ds
from scpertbias.ds import _files
sys.exit(_files._cached_table.cache_info().currsize)
"""


def test_importing_reads_no_data():
    process = subprocess.run([sys.executable, "-c", _SCRIPT], check=False, env=None)
    assert process.returncode == 0
