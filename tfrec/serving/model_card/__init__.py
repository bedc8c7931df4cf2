"""The model card of an export: what it was made of, how good it is, and where it was not measured."""
