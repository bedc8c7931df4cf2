"""Picture files: their headers, and their pixels as Pillow shows them."""
