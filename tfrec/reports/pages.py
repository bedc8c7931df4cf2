"""HTML pages from Jinja2 templates, which escape every value."""

import base64
import functools
import hashlib
import unicodedata
from typing import Any

import jinja2

# Marks that change the direction of the text after them, so that it misleads; joiners and simple marks are harmless.
_DIRECTION_MARKS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def render(package: str, template: str, **values: Any) -> str:
    """Renders a template from the folder `templates` of a package.

    Templates have the filters `printable`, see `printable`, and `csp_hash`, the hash by which a
    Content-Security-Policy allows an inline script. An unknown name in a template is an error.

    Args:
        package: name of the package, such as "tfrec.reports".
        template: name of the template's file, such as "hypotheses.html.j2".
        **values: values for the template; they are escaped as HTML.

    Returns:
        The page.
    """
    return _environment(package).get_template(template).render(**values)


def printable(text: object) -> str:
    r"""Escapes line breaks, terminal control sequences and direction marks, so that a text stays on one line.

    Args:
        text: any text, such as the name of a file; other objects are converted to one.

    Returns:
        The text with those characters as backslash escapes.

    >>> print(printable("a\nb\x1b[2J"))
    a\nb\x1b[2J
    """
    return "".join(_escaped(character) for character in str(text))


@functools.cache
def _environment(package: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"printable": printable, "csp_hash": _csp_hash}
    return environment


def _csp_hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _escaped(character: str) -> str:
    if character in _DIRECTION_MARKS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character
