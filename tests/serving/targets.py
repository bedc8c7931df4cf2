"""Servers under test, and requests to them."""

import dataclasses
import gzip
import http.client
import json

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tfrec.serving.server.process import Options, Server


@dataclasses.dataclass
class Target:
    """A server under test."""

    rest_address: str  # HOST:PORT
    grpc_address: str

    def __post_init__(self):
        self.channel = grpc.insecure_channel(self.grpc_address)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def rest(self, method, path, body=None, headers=None):
        """(status, parsed body, or text where it is not JSON) of a request; a dict is sent as JSON."""
        connection = http.client.HTTPConnection(self.rest_address, timeout=60)
        if isinstance(body, dict | list):
            body = json.dumps(body)
        if (headers or {}).get("Content-Encoding") == "gzip":
            body = gzip.compress(body.encode())
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text

    def predict(self, body, model="arithmetic", where=""):
        return self.rest("POST", f"/v1/models/{model}{where}:predict", body)


def start(source, **options):
    """A running stand-in; use it as a context."""
    return Server(source, Options(rest_port=0, grpc_port=0, **options))


def target_of(server):
    return Target(f"127.0.0.1:{server.rest_port}", f"127.0.0.1:{server.grpc_port}")
