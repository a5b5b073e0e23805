"""Every budget, in one table: ``python -m benchmarks``."""

from . import audit, backed, cluster, profiles, questions, regress_out, ridge, scores
from ._table import main

if __name__ == "__main__":
    main([profiles.run, ridge.run, regress_out.run, audit.run, questions.run, scores.run, backed.run, cluster.run])
