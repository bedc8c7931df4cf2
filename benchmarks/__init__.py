"""Side by side with a peer, in one run: each module prints times and ratios."""

import os
import sys

if sys.argv[0] == "-m":  # `python -m` is looking for the module that it will run
    from pipelines import native_output

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    native_output.hide_logs()
