"""Verbs of many files."""
