"""What a network is made of: activations, initializers, layers, networks, and what a sampler returns."""
