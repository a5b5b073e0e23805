"""Models that are trained on cells, and what they share.

`extras` finds and imports the optional packages, `data` reads cells a batch at a time, `training` is the loop,
`checkpoint` its folder. A model is a `Learner` (see `training`), a public ``fit_*`` and nothing else.
"""
