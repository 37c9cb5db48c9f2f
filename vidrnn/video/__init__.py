"""Files become frames, and frames become files. No torch."""
