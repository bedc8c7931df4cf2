"""A local stand-in for TensorFlow Serving: its REST and gRPC interfaces, for development and tests."""
