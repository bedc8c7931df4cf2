"""What every package may use: console, files, processes."""
