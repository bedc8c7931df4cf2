"""Reports of noise and of changed recordings."""
