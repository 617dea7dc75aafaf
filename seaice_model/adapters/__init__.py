"""Patches and tiles of a store in the form that other frameworks expect."""
