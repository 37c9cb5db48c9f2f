"""Tables, progress and errors for people, JSON for machines: the only home of rich, beside `gallery`."""
