"""Places on the Earth and pixels of a scene: there and back."""
