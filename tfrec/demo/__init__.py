"""A local web page on which people try a model: they draw, drop files, or speak."""
