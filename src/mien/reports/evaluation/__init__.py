"""An evaluation as a folder with a page."""
