"""Figures: maps, scores, the store, learning curves."""
