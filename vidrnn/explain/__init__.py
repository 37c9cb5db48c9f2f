"""A model, a film and its answer become reasons: when and where the film decided the answer."""
