"""
An activation of one's own
==========================

Any elementwise function will do. Its kinks are found, its derivative and its moments are computed, and what theory says of
it follows: here the weights' variance with which gradients are kept, and what comes of it at finite width.
"""

import numpy as np

import varprop as vp


def soft_clip(z):
    return z / np.sqrt(1 + z**2)


edge = vp.theory.edge_of_chaos(soft_clip, bias_variance=0.02)
weights = {"name": "variance_scaling", "scale": edge.weight_variance}
biases = {"name": "normal", "std": 0.02**0.5}
net = vp.mlp([128] * 21, activation=soft_clip, weights=weights, biases=biases)
sim = vp.simulate(net, n_networks=1000, rng=2015)
ax = vp.plot.profile(sim, theories=["mean-field"], quantity="gradient_second_moment")

# %%
# What was sampled:

sim
