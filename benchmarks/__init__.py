"""The package's budgets, measured against the tools it is meant to outrun. Not installed: run from the repository."""
