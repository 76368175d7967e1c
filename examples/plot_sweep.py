"""
A variable taken through values
===============================

:func:`varprop.plot.sweep` draws the gain per layer against what differs between networks, here n_in Var(W). Large weights
saturate tanh, and its squared gradients grow all the same: for every variance above 1.
"""

import varprop as vp

laws = [{"name": "variance_scaling", "scale": scale} for scale in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)]
nets = [vp.mlp([64] * 21, activation=phi, weights=law) for phi in ("tanh", "sigmoid", "relu") for law in laws]
sims = [vp.simulate(net, n_networks=100, rng=2015) for net in nets]
ax = vp.plot.sweep(sims, variable="weight_variance", quantity="gradient_second_moment")
