"""Files of AI4Arctic scenes: find, open, check and read them, band by band."""
