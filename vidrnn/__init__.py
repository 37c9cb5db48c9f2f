"""vidrnn: a folder of films and a laptop, and two commands later a model that understands what happens in them."""

__version__ = "0.1.0"
