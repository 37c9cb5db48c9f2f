"""Labelled films: manifests, labels, groups, splits, and the cache of decoded films. No torch."""
