"""A scene becomes a stored one: assembled, resampled, encoded, written."""
