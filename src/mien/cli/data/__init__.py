"""`mien data`: bring data sets in, look at them, and find what would fool a measurement. One file a verb."""
