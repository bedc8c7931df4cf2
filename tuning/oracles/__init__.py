"""Keras Tuner's oracles, with state that survives a kill, and their service for workers on other machines."""
