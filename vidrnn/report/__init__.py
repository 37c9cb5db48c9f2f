"""A run becomes one page for people, and a list of labels that are probably wrong."""
