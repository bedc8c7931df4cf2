"""The process that a file for devices runs in, without TensorFlow."""
