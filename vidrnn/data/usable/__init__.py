"""The films of a dataset that a training can use, and the split that it makes of them, for each kind of truth.

`vidrnn train` and `vidrnn check` both call these functions, so what one refuses the other one refuses too.
"""
