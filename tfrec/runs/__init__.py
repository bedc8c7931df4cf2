"""The folder of a run: its files, its lock, its environment."""
