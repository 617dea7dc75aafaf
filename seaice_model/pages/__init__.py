"""HTML pages: the index of maps, the report of scores."""
