"""What the stand-in bears: large and slow bodies, many requests, long ones, and its own end."""

import concurrent.futures
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from pipelines.errors import UserError
from tests.serving import models
from tests.serving.targets import Target, start, target_of
from tfrec.commands import serve
from tfrec.serving import stubs

SLOW = {"signature_name": "slow", "instances": [5000]}  # about 50 s


@pytest.fixture(scope="module")
def limited(contract_config):
    options = {"max_requests": 2, "max_body_bytes": 10_000, "body_timeout_s": 0.5, "rest_timeout_s": 1.0}
    with start(contract_config, **options) as server:
        yield target_of(server)


def test_health(limited):
    check = limited.channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"") == b"\x08\x01"  # SERVING


def test_names_of_models_that_are_not_served_are_not_counted(limited):
    assert limited.predict({"instances": [1.0]}, "any-name")[0] == 404
    page = limited.rest("GET", "/monitoring/prometheus/metrics")[1]
    assert 'model_name="",status="NOT_FOUND"' in page
    assert "any-name" not in page


def test_missing_libraries(monkeypatch):
    monkeypatch.setattr(stubs, "LIBRARIES", ("json", "no_such_library"))
    with pytest.raises(UserError, match=r"needs no_such_library.*pip install 'tfrec\[serve\]'"):
        serve.main(["saved_models"])


def test_a_large_body(limited):
    status, answer = limited.predict({"instances": [1.0] * 5000})
    assert (status, list(answer)) == (413, ["error"])
    headers = {"Content-Encoding": "gzip"}  # a small one that becomes large
    body = '{"instances": [' + "1.0," * 5000 + "1.0]}"
    assert limited.rest("POST", "/v1/models/arithmetic:predict", body, headers)[0] == 413


def test_a_body_that_is_no_gzip(limited):
    connection = http.client.HTTPConnection(limited.rest_address)
    connection.request("POST", "/v1/models/arithmetic:predict", b"no gzip", {"Content-Encoding": "gzip"})
    assert connection.getresponse().status == 400


def test_a_slow_client_holds_up_nobody(limited):
    host, port = limited.rest_address.split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /v1/models/arithmetic:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        assert limited.predict({"instances": [1.0]})[0] == 200
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")


def test_many_requests(limited):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(limited.predict, [SLOW] * 4))
    assert sorted(status for status, _ in answers) == [503, 503, 504, 504]
    assert limited.predict({"instances": [1.0]})[0] == 200


def test_a_request_that_takes_too_long(limited):
    started = time.monotonic()
    status, answer = limited.predict(SLOW)
    assert (status, list(answer)) == (504, ["error"])
    assert time.monotonic() - started < 5


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A function that runs `tfrec serve` in a process: (process, target, first line)."""
    folder = tmp_path_factory.mktemp("serve")
    models.write_arithmetic(folder / "arithmetic" / "1", 1)
    running = []

    def run():
        words = [sys.executable, "-m", "tfrec", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        text = ""
        while not (found := re.search(r"REST +http://(\S+?)/v1.*\ngRPC +(\S+),", text)):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            text += line
        return process, Target(*found.groups()), text.splitlines()[0]

    yield run
    for process in running:
        process.kill()
        process.wait()


def test_sigterm_answers_what_is_in_flight(command):
    process, target, first_line = command()
    assert first_line == "This is tfrec's stand-in for development and tests. It is not TensorFlow Serving."
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(target.predict, {"signature_name": "slow", "instances": [300]})
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert answer.result()[0] == 200
    assert process.wait(30) == 0
    with pytest.raises(OSError, match=r"refused|reset"):
        target.predict({"instances": [1.0]})


@pytest.mark.slow
def test_kill_under_traffic_and_a_fresh_start(command):
    process, target, _ = command()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(target.predict, {"signature_name": "slow", "instances": [1000]})
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        assert isinstance(answer.exception(), OSError | http.client.HTTPException)
    _, target, _ = command()
    assert target.predict({"instances": [1.0]})[0] == 200
