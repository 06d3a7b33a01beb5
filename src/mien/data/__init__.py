"""Data sets: reading the published forms, cleaning, and the in-memory set that training and evaluation use."""
