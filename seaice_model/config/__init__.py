"""What decides a run: its configuration, presets and profiles."""
