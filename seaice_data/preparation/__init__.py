"""From scenes to a store: assemble, resample, encode and write them."""
