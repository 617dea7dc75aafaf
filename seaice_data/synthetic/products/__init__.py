"""Synthetic scenes as the products that people download: SAFE, swaths, weather, charts."""
