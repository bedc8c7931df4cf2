"""One module per command: arguments to a configuration, then one call."""
