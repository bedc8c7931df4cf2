"""Requests to TensorFlow Serving, or to its stand-in, by REST or gRPC."""

from tfrec.serving.client.client import Client
from tfrec.serving.client.requests import RequestError, Retries

__all__ = ["Client", "RequestError", "Retries"]
