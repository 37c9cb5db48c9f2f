"""Many films: one row each, kept as it comes, so that a killed run goes on where it stopped."""
