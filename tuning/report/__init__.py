"""The results of a sweep, and the report on them: tables, plots, an HTML page."""
