"""Scenes wherever they lie, in files or in a store."""
