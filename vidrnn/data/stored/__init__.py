"""Where the cache keeps what training needs of very many films: a database of scans, and arrays in files."""
