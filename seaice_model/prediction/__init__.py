"""Prediction of maps of whole scenes."""
