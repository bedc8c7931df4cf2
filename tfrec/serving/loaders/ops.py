"""Prints the ops of the installed TensorFlow as JSON, {op: whether it has a kernel for CPUs}."""

import json

from tfrec.serving.loaders import c_api

if __name__ == "__main__":
    print(json.dumps(c_api.registered_ops()))
