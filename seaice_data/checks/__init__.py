"""Tests of what is inferred about AI4Arctic files; see docs/unchecked.md."""
