"""Every architecture of the registry in every format: made and proved, or one sentence that names what is missing.

`pytest -m slow -n0 -s` prints a line for each.
"""

import pytest

from pipelines.errors import UserError
from tests.tfrec.devices.test_publish import PACKAGES
from tests.tfrec.serving import test_registry
from tfrec.architectures.registry import ARCHITECTURES, find
from tfrec.devices import formats, publish

NAMES = [name for name in ARCHITECTURES if "audio_visual" not in find(name).input_kinds]


@pytest.mark.slow
@pytest.mark.parametrize("form", formats.FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_an_architecture_is_published_or_says_what_is_missing(name, form, tmp_path):
    pytest.importorskip(PACKAGES[form])
    try:
        path, certificate = publish.publish(test_registry.build(name), form, tmp_path, name)
    except UserError as error:
        text = str(error)
    else:
        own, made = certificate["rows"]
        text = f"{certificate['largest_difference']:.1e}, {path.stat().st_size / own['bytes']:.2f} of the weights' size"
        text += f", {made['latency_ms']:g} ms (run: {own['latency_ms']:g} ms)"
    print(f"| `{name}` | {form} | {text} |")
    assert text[0].isdecimal() or "the format lacks" in text
