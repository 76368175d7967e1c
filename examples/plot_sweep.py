"""

:func:`varprop.plot.sweep` draws the gain per layer over a variable that is swept, here the weights' variance, with the
theory's curve through what was measured. Gradients of tanh do not vanish under large weights: they grow.
:func:`varprop.plot.sweep_data` has the numbers.
"""

import numpy as np

import varprop as vp

scales = np.geomspace(0.25, 64, 9)
laws = [{"name": "variance_scaling", "scale": scale} for scale in scales]
nets = [vp.mlp([64] * 13, activation=phi, weights=law) for phi in ("tanh", "relu") for law in laws]
sims = [vp.simulate(net, n_networks=100, rng=2015) for net in nets]
table = vp.plot.sweep_data(sims, variable="weight_variance")
ax = vp.plot.sweep(table, quantity="gradient_second_moment")
=======
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
