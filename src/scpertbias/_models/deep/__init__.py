"""Models that are trained on cells, and their shared parts.

`extras` imports the optional packages, `data` reads cells in batches, `training` is the loop, `checkpoint` its folder.
A model consists of a `Learner` (see `training`) and a public ``fit_*``.
"""
