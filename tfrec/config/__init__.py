"""The configuration of a run: dataclasses, JSON and flags."""
