"""A file becomes frames, and frames become a file. No torch."""
