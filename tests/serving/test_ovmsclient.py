"""ovmsclient, an independent client of TensorFlow Serving's interfaces, in an environment of its own."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("ovms_requests.py")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ovmsclient")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "pip"), "install", "--quiet", "ovmsclient==2023.1"]
    if subprocess.run(install, capture_output=True).returncode:
        pytest.skip("ovmsclient cannot be installed: no package index")
    return folder / "bin" / "python"


@pytest.mark.slow
def test_an_independent_client(target, python):
    words = [python, "-I", SCRIPT, target.rest_address, target.grpc_address]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for answers in json.loads(done.stdout).values():
        assert answers["latest"] == [3.0, 4.0]
        assert answers["first"] == [1.5, 2.0]
        assert answers["inputs"] == {"x": [-1]}
        assert answers["states"] == {"2": "AVAILABLE"}
        assert answers["errors"] == {
            "model": "ModelNotFoundError",
            "input": "InvalidInputError",
            "type": "InvalidInputError",
        }
