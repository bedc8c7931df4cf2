"""Handing a trained recognizer to TensorFlow Serving."""
