"""JSON files of any content are read or refused at once."""

import json
import time

import pytest

from tfrec.utils import json_files


@pytest.mark.parametrize("depth", [101, 100_000, 1_000_000])
@pytest.mark.parametrize("unit", ["[", '{"a":', '[{"a\\"]":'])
def test_depth(tmp_path, depth, unit):
    path = tmp_path / "deep.json"
    path.write_text(unit * depth)
    started = time.process_time()
    with pytest.raises(ValueError, match="more than 100 deep"):
        json_files.load(path)
    assert time.process_time() - started < 1


def test_what_is_allowed(tmp_path):
    path = tmp_path / "x.json"
    value = {
        "brackets": ["[" * 500, '"' + "{" * 500, "\\"],
        "many": [[]] * 500,
        "deep": json.loads("[" * 90 + "]" * 90),
    }
    path.write_text(json.dumps(value))
    assert json_files.load(path) == value


def test_size(tmp_path):
    path = tmp_path / "large.json"
    path.write_text("[" + "1," * 100 + "1]")
    assert len(json_files.load(path)) == 101
    with pytest.raises(ValueError, match="more than 100 bytes"):
        json_files.load(path, max_bytes=100)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"1" * 5000, b"[1}"])
def test_what_is_no_json(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        json_files.load(path)
