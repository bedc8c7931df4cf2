"""Examples on a page: pictures, sounds, and what is known of each."""
