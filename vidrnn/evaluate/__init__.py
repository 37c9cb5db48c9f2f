"""A model and labelled films become scores."""
