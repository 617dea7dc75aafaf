"""Where a store is kept: a local folder, or an object store behind a URL."""
