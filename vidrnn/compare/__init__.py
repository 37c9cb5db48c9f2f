"""Comparison of heads on the same films: the scores of each head, and its costs."""
