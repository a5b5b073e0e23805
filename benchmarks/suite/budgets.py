"""What asv times, commit by commit: the functions that ``python -m benchmarks`` measures against their peers."""

import sys
import tempfile
from pathlib import Path

from anndata import AnnData

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import scpertbias as spb
from benchmarks import audit, backed, cluster, profiles, questions, regress_out, ridge
from benchmarks._screen import screen

timeout = 600


class OfCells:
    """On the whole screen, from cells."""

    def setup(self):
        self.adata = screen()

    def time_profiles(self):
        profiles.ours(self.adata)

    def peakmem_profiles(self):
        profiles.ours(self.adata)

    def time_ridge(self):
        ridge.ours(self.adata)

    def time_regress_mt_ribo(self):
        regress_out.ours(regress_out.cells(self.adata))


class OfFile:
    """On the whole screen in a file that is read in parts, here and on two workers."""

    def setup(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "screen.h5ad"
        adata = screen()
        AnnData(adata.X, obs=adata.obs, var=adata.var).write_h5ad(self.path)

    def teardown(self):
        self.folder.cleanup()

    def time_profiles(self):
        backed.ours(self.path)

    def track_cluster_seconds(self):
        return cluster.row(self.path, "", limit_gb=cluster.LIMIT_GB, counts=False).ours_s

    track_cluster_seconds.unit = "s"


class OfProfiles:
    """On the profiles of the whole screen."""

    def setup(self):
        self.profiles = spb.pp.profiles(screen())

    def time_ridge(self):
        ridge.ours(self.profiles)

    def time_audit(self):
        spb.tl.audit(self.profiles, models=("mean", "ridge", "bilinear"), n_random=0)

    def track_whole_audit_seconds(self):
        return audit.run(screen())[0].ours_s

    track_whole_audit_seconds.unit = "s"

    def track_questions_seconds(self):
        return questions.run(screen())[0].ours_s

    track_questions_seconds.unit = "s"
