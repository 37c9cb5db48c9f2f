"""Labelled films: manifests, labels, groups, splits, and the cache of what was decoded. No torch."""
