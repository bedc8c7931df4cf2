"""The files that TensorFlow Serving is started with: models, batching, monitoring, Docker Compose, Kubernetes."""
