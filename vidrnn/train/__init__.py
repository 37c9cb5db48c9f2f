"""DATA becomes a run and a model."""
