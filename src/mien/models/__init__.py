"""Models as folders: what they are, what they expect, and how they are run."""
