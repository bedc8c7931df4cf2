"""Examples on a page, with pictures and sounds and what is known of each, and in a table."""
