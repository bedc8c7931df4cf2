"""Shards: tar archives of encoded files with their labels, as WebDataset has them, with an index or without one."""
