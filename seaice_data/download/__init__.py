"""Files of others are downloaded: resumed after an interruption, and checked."""
