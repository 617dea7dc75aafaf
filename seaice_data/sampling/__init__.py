"""Numbered random patches for training, tiles for prediction."""
