"""Files of AI4Arctic scenes: found, opened, checked, read band by band."""
