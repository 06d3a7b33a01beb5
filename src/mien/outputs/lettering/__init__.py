"""Letters on pictures: fonts of the system, and glyphs drawn with them."""
