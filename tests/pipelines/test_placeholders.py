"""Text in the place of pictures and audio is named."""

import pytest

from pipelines import audio, images
from pipelines.errors import UserError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (POINTER, "is a Git LFS pointer and not the file that its name says: fetch the files"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "is a web page and not the file that its name says: a download"),
        (b"<HTML><body>403</body>", "is a web page"),
    ],
)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.wav", "a.mp3", "a.flac", "a.m4a"])
def test_placeholders(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=words):
        (images if name.endswith(("jpg", "png")) else audio).probe(str(tmp_path / name))
