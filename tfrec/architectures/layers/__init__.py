"""Layers and blocks that several architectures share.

A class is a Keras layer of its own. A function adds layers to a functional model: it takes a tensor and the name that
the names of the added layers start with, and returns a tensor.
"""
