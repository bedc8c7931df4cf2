"""`python -m tfrec.fit`, a shorter way to type `python -m tfrec fit`."""

import sys

from tfrec.__main__ import main

if __name__ == "__main__":
    main(["fit", *sys.argv[1:]])
