"""HTML pages from Jinja2 templates, which escape every value."""

import jinja2


def render(package: str, template: str, **values: object) -> str:
    """Renders a template of a package.

    Args:
        package: The package whose folder `templates` holds the template, such as "tuning.report".
        template: The name of the file.
        **values: The variables of the template; an undefined one raises an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template).render(**values)
