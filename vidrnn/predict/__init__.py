"""A model and a film become an answer."""
