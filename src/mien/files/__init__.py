"""What is written, and what must not be lost in the process."""
