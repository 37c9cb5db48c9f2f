"""`python -m vidrnn` is `vidrnn`, also where the folder of scripts is not on the path."""

from vidrnn.cli import run

run()
