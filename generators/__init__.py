"""Built-in generators of patient records, one module each."""
