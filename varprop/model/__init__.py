"""The nouns: activations, initializers, layers, networks, and what a sampler returns."""
