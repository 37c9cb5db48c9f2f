"""Several heads on the same films in the same way: what each is worth and what it costs."""
