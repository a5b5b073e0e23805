"""Models that are trained on cells, and what they share.

`_stack` finds and imports the optional packages, `_cells` reads cells a batch at a time, `_train` is the loop,
`_checkpoint` its folder. A model is a `Learner` (see `_train`), a public ``fit_*`` and nothing else.
"""
