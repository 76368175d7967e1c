"""How fast varprop samples, beside the same numbers made with PyTorch, JAX and NumPy: ``python -m benchmarks``."""
