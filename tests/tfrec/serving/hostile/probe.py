"""Sends hostile requests to an export in a process of its own: `python -m tests.tfrec.serving.hostile.probe`.

TensorFlow's C library answers, as in a server: Python's session would check ranks before the graph does.
"""

import ctypes
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import numpy as np

from tests.tfrec.serving.hostile import picture_cases, sound_cases
from tests.tfrec.serving.hostile.case import ANSWER, EITHER, REFUSE
from tfrec.serving import protos
from tfrec.serving.loaders import c_api

MAX_SECONDS, MAX_BYTES = 2.0, 500e6
DEADLINE_S = 60
ROOT = pathlib.Path(__file__).parents[4]


def cases_of(folder, with_heavy):
    """Every case for every signature of an export."""
    definitions = protos.read_saved_model(folder).meta_graphs[0].signature_def
    description = json.loads((pathlib.Path(folder) / "assets.extra" / "tfrec.json").read_text())
    for signature in sorted(definitions):
        inputs = definitions[signature].inputs
        if "image" in inputs:
            dtype = c_api.DTYPES[inputs["image"].dtype]
            yield from picture_cases.pixel_cases(signature, description["channels"], dtype)
        elif "audio" in inputs:
            yield from sound_cases.sample_cases(signature, description["sample_rate_hz"])
        elif "encoded" in inputs and description["modality"] == "image":
            yield from picture_cases.file_cases(signature)
        elif "encoded" in inputs:
            yield from sound_cases.file_cases(signature, description["sample_rate_hz"])


def run(folder, with_heavy=True, only=""):
    """[(case, report)] of every case; a report says how it ended, in how many seconds and bytes.

    A process that ends is started again after the case that ended it.
    """
    cases = [case for case in cases_of(folder, with_heavy) if (with_heavy or not case.heavy) and only in case.name]
    reports = {}
    while len(reports) < len(cases):
        first = len(reports)
        words = [sys.executable, "-m", __spec__.name, str(folder), str(first), str(int(with_heavy)), only]
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
        for line in done.stdout.splitlines():
            report = json.loads(line)
            reports[report.pop("number")] = report
        if len(reports) == first:  # before any case
            raise RuntimeError(done.stderr[-2000:])
        if done.returncode:
            ended = signal.Signals(-done.returncode).name if done.returncode < 0 else done.stderr[-300:]
            reports[len(reports) - 1] = {"outcome": f"ended the process: {ended}", "seconds": 0.0, "bytes": 0.0}
    return [(case, reports[number]) for number, case in enumerate(cases)]


def failures(results):
    """Sentences on what is not as it must be."""
    for case, report in results:
        outcome = report["outcome"]
        if outcome not in ((REFUSE, ANSWER) if case.outcome == EITHER else (case.outcome,)):
            yield f"{case.name}: {outcome}, not {case.outcome}: {report.get('message', '')[:200]}"
        elif outcome == REFUSE and not report["message"]:
            yield f"{case.name}: refused without a sentence"
        if report["seconds"] > MAX_SECONDS and (case.outcome != ANSWER or not case.heavy):
            yield f"{case.name}: {report['seconds']:.1f} s"
        if report["bytes"] > MAX_BYTES and (case.outcome != ANSWER or not case.heavy):
            yield f"{case.name}: {report['bytes'] / 1e6:,.0f} MB"
        if not report.get("next", True):
            yield f"{case.name}: the next good request is answered otherwise"


def main(folder, first, with_heavy, only):
    """Runs the cases from a number on, and prints a line of JSON before and after each."""
    model = c_api.SavedModel(folder)
    good = list(good_requests(folder))
    expected = [model(*request) for request in good]
    for request in good:
        model(*request)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    allowed = memory("VmSize") + 7e9
    resource.setrlimit(resource.RLIMIT_AS, (int(allowed), int(allowed)))
    cases = [case for case in cases_of(folder, with_heavy) if (with_heavy or not case.heavy) and only in case.name]
    for number, case in enumerate(cases):
        if number >= first:
            inputs = case.build()
            print(json.dumps({"number": number, "outcome": "none", "seconds": 0.0, "bytes": 0.0}), flush=True)
            if os.environ.get("TFREC_TEST_ABORT_AT") == str(number):
                os.abort()
            report = send(model, case, inputs)
            del inputs
            answers = model(*good[number % len(good)])
            report["next"] = same(answers, expected[number % len(good)])
            print(json.dumps({"number": number, **report}), flush=True)


def send(model, case, inputs):
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts again here
    before, start, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    signal.alarm(DEADLINE_S)
    try:
        answers = model(case.signature, inputs)
        finite = all(np.isfinite(value).all() for value in answers.values() if value.dtype.kind == "f")
        report = {"outcome": ANSWER if finite else "answered with NaN", "message": ""}
    except c_api.TensorFlowError as error:
        refused = error.code == c_api.INVALID_ARGUMENT
        report = {"outcome": REFUSE if refused else f"code {error.code}", "message": str(error)}
    signal.alarm(0)
    # Other processes make the wall clock slow, several threads the CPU's.
    report["seconds"] = min(time.perf_counter() - start, time.process_time() - cpu)
    size = sum(value.nbytes for value in inputs.values() if value.dtype != object)
    size += sum(len(row) for value in inputs.values() if value.dtype == object for row in value.flat)
    report["bytes"] = max(memory("VmHWM") - before - size, 0)  # without the tensor that holds the request
    return report


def good_requests(folder):
    """One good request for each signature."""
    description = json.loads((pathlib.Path(folder) / "assets.extra" / "tfrec.json").read_text())
    definitions = protos.read_saved_model(folder).meta_graphs[0].signature_def
    for signature in sorted(definitions):
        inputs = definitions[signature].inputs
        if "image" in inputs:
            dtype = c_api.DTYPES[inputs["image"].dtype]
            yield signature, {"image": np.full((2, 30, 30, description["channels"]), 99, dtype)}
        elif "audio" in inputs:
            sound = sound_cases.tone(description["sample_rate_hz"])[None]
            yield signature, {"audio": sound, "length": np.int32([sound.size])}
        elif "encoded" in inputs:
            image = description["modality"] == "image"
            rate = description.get("sample_rate_hz", 0)
            contents = picture_cases.saved(picture_cases.noise(), "PNG") if image else None
            yield signature, {"encoded": np.array([contents or sound_cases.wav(sound_cases.tone(rate), rate)], object)}


def same(answers, expected):
    return all(
        np.allclose(value, expected[name], atol=1e-5) if value.dtype.kind == "f" else (value == expected[name]).all()
        for name, value in answers.items()
    )


def memory(name):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * float(line.split()[1])
    raise KeyError(name)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), bool(int(sys.argv[3])), sys.argv[4])
    sys.stdout.flush()
    os._exit(0)
