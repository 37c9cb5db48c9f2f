"""The folder that a model travels in: header, weights, checkpoint, card."""
