"""What libraries in C write to standard error."""

import subprocess
import sys

WRITE = """
import os, sys
from pipelines import native_output
native_output.hide_logs()
for line in (
    b"2026-11-29 23:10:10.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.",
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    b"E0000 00:00:1764457810.123456 1 cuda_fft.cc:477] Unable to register cuFFT factory",
    b"I0000 00:00:1764457810.123456 1 device_compiler.h:188] Compiled cluster using XLA!",
    b"Corrupt JPEG data: 12 extraneous bytes before marker 0xd9",
    b"Premature end of JPEG file",
    b"libpng warning: iCCP: known incorrect sRGB profile",
    b"terminate called after throwing an instance of 'std::bad_alloc'",
):
    os.write(2, line + b"\\n")
print("of Python", file=sys.stderr)
os.abort()
"""


def test_logs_are_hidden_and_all_else_passes_also_from_a_process_that_crashes():
    done = subprocess.run([sys.executable, "-c", WRITE], capture_output=True, text=True)
    assert sorted(done.stderr.splitlines()) == [
        "of Python",
        "terminate called after throwing an instance of 'std::bad_alloc'",
    ]


def test_standard_output_ends_with_the_process():
    code = "from pipelines import native_output\nnative_output.hide_logs()\nprint('done')"
    command = f'({sys.executable} -c "{code}"; sleep 0) | cat'
    assert subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60).stdout == "done\n"
