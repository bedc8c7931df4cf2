"""Pages from templates: every value is escaped, and unknown names are errors."""

import jinja2
import pytest

from tfrec.reports import pages

HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def templates(monkeypatch):
    """A dict of templates in place of the package's."""
    sources = {}
    environment = pages._environment.__wrapped__("tfrec.reports").overlay(loader=jinja2.DictLoader(sources))
    monkeypatch.setattr(pages, "_environment", lambda package: environment)
    return sources


def test_values_are_escaped(templates):
    templates["page"] = (
        "<title>{{ title }}</title><p class=\"{{ label }}\">{{ texts | join(', ') }}</p>"
        "{% macro cell(text) %}<td>{{ text }}</td>{% endmacro %}{{ cell(title | printable) }}"
    )
    page = pages.render("tfrec.reports", "page", title=HOSTILE, label='" onclick="x', texts=[HOSTILE, "a"])
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") == 3
    assert 'class="&#34; onclick=&#34;x"' in page


def test_unknown_names_are_errors(templates):
    templates["page"] = "{{ title }} {{ subtitle }}"
    with pytest.raises(jinja2.UndefinedError, match="'subtitle' is undefined"):
        pages.render("tfrec.reports", "page", title="a")


def test_templates_of_packages():
    with pytest.raises(jinja2.TemplateNotFound):
        pages.render("tfrec.reports", "missing.html.j2")
    with pytest.raises(ValueError, match="templates"):
        pages.render("tfrec.text", "hypotheses.html.j2")


def test_csp_hash(templates):
    templates["page"] = "{{ 'alert(1)' | csp_hash }}"
    # Computed with `openssl dgst -sha256 -binary`.
    assert pages.render("tfrec.reports", "page") == "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="
