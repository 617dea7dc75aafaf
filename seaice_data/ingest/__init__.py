"""Turn a satellite product and what belongs to it into a scene file."""
