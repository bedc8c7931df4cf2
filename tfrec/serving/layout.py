"""Where things are in an export's folder, and names around it; this module imports nothing."""

import pathlib

_EXTRA = pathlib.Path("assets.extra")
DESCRIPTION = _EXTRA / "tfrec.json"  # what a client must know
CERTIFICATE = _EXTRA / "certificate.json"
CARD = _EXTRA / "README.md"
WARMUP_RECORDS = _EXTRA / "tf_serving_warmup_requests"
MAX_WARMUP_RECORDS = 1000  # that a server takes
LABELS = pathlib.Path("assets") / "labels.txt"
TEMPORARY = ".tmp-"  # begins the names of folders that are not versions yet
