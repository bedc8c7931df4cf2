"""Converts: `python -m tfrec.devices FORMAT SAVED_MODEL TARGET`; the last line of standard error says what fails."""

import os
import sys

from tfrec.devices import converters

if __name__ == "__main__":
    status = 0
    try:
        converters.CONVERTERS[sys.argv[1]](*sys.argv[2:])
    except Exception as error:
        print("\n" + " ".join(f"{error}".split()), file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
