"""Synthetic scenes as files of AI4Arctic, of either version."""
