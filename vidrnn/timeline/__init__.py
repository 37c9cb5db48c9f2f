"""Outputs of windows become moments, and moments become segments in seconds. It needs numpy only."""
