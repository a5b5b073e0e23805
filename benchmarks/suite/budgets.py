"""What asv times, commit by commit: the functions that ``python -m benchmarks`` measures against their peers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import scpertbias as spb
from benchmarks import pseudobulk, regress_out, ridge
from benchmarks._screen import screen

timeout = 600


class Cells:
    """On the whole screen, from cells."""

    def setup(self):
        self.adata = screen()

    def time_pseudobulk(self):
        pseudobulk.ours(self.adata)

    def peakmem_pseudobulk(self):
        pseudobulk.ours(self.adata)

    def time_ridge(self):
        ridge.ours(self.adata)

    def time_regress_mt_ribo(self):
        regress_out.ours(regress_out.cells(self.adata))


class Profiles:
    """On the profiles of the whole screen."""

    def setup(self):
        self.profiles = spb.pp.pseudobulk(screen())

    def time_ridge(self):
        ridge.ours(self.profiles)

    def time_audit(self):
        spb.tl.audit(self.profiles, models=("mean", "ridge", "bilinear"), n_random=0, n_boot=100)
