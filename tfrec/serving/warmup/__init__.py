"""Warm-up records: requests that TensorFlow Serving runs before a version takes traffic."""
