"""How each task is taught."""
