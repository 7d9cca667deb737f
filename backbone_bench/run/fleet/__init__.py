"""A fleet: the rows of one plan on many devices or machines, which an engine of the site places."""
