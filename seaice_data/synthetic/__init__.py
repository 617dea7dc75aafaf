"""Synthetic scenes, to try everything without data."""
