"""`mien models`: what is inside, and side by side."""
