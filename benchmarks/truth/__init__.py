"""What may be claimed, on screens of known truth (``benchmarks.screens``): ``python -m benchmarks.truth``.

A claim is a function that draws one screen by a seed and returns a number per quantity: whether something was called,
whether an interval holds the true value. Numbers of many screens make the rows of ``docs/truth.csv``.
"""
