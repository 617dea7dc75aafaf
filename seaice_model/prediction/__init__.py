"""Networks over whole scenes."""
