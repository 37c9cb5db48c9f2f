"""Films that belong together, told by their names, by the recordings that they are pieces of, or by their looks."""
