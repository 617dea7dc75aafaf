"""The training loop and everything that only it needs."""
