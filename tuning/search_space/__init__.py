"""The search space: how it is written, its parameters, its defaults, and a check of its boundary."""
