"""`python -m tfrec.fit`, the command `fit` under the name that people type."""

import sys

from tfrec.__main__ import main

if __name__ == "__main__":
    main(["fit", *sys.argv[1:]])
