"""Facial expression and hand gesture recognition on your own machine."""

__version__ = "0.1.0"
