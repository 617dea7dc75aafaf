"""Tests on real files of what is inferred about them; see docs/unchecked.md."""
