"""
A sample against its exact law
==============================

For ReLU, Gaussian weights and no biases the law of a layer's second moment over networks is known at every width.
:func:`varprop.plot.exact_law` draws how far the sample's quantiles are from it, with a band that holds for all quantiles at
once.
"""

import varprop as vp

net = vp.mlp([16] * 11, activation="relu", weights="he_normal")
sim = vp.simulate(net, n_networks=4000, rng=2015)
ax = vp.plot.exact_law(sim)
