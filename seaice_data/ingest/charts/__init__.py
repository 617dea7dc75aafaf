"""Ice charts: files, places, burning."""
