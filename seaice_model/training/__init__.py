"""The training loop and all that only it needs."""
