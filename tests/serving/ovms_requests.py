"""Requests by ovmsclient, run in its own environment: `python ovms_requests.py REST GRPC` prints JSON.

Versions are explicit: without one, ovmsclient asks for version 0, which is the latest one of its own server alone.
"""

import json
import sys

import numpy as np


def _shape(tensor):
    return tensor.get("shape") or [int(dim["size"]) for dim in tensor["tensor_shape"]["dim"]]


def answers(client):
    """What the server says about the model "arithmetic", and what it answers."""
    metadata = client.get_model_metadata("arithmetic", 1)
    if "inputs" not in metadata:  # over REST it knows the names of its own server's metadata only
        metadata = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    inputs = metadata["inputs"]
    status = client.get_model_status("arithmetic", 2)
    errors = {}
    for name, call in {
        "model": lambda: client.predict({"x": np.ones(1, "float32")}, "none", 1),
        "input": lambda: client.predict({"z": np.ones(1, "float32")}, "arithmetic", 1),
        "type": lambda: client.predict({"x": np.array([b"text"])}, "arithmetic", 1),
    }.items():
        try:
            call()
            errors[name] = "none"
        except Exception as error:
            errors[name] = type(error).__name__
    return {
        "latest": client.predict({"x": np.array([1.5, 2.0], "float32")}, "arithmetic", 2).tolist(),
        "first": client.predict({"x": np.array([1.5, 2.0], "float32")}, "arithmetic", 1).tolist(),
        "inputs": {name: _shape(one) for name, one in inputs.items()},
        "states": {str(version): one["state"] for version, one in status.items()},
        "errors": errors,
    }


if __name__ == "__main__":
    import ovmsclient  # which the tests' own environment does not have

    rest, grpc = sys.argv[1:]
    clients = {"rest": ovmsclient.make_http_client(rest), "grpc": ovmsclient.make_grpc_client(grpc)}
    print(json.dumps({name: answers(client) for name, client in clients.items()}))
