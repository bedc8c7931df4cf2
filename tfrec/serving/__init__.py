"""Handing a trained recogniser to TensorFlow Serving."""
