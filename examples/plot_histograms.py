"""
Units, layer by layer
=====================

:func:`varprop.plot.histograms` draws how activations, or gradients, of single units are distributed in a few layers, after
the figures of Glorot and Bengio (2010). Under Xavier's initialisation the activations of tanh draw together slowly.
"""

import varprop as vp

net = vp.mlp([128] * 6, activation="tanh", weights="xavier_normal")
found = vp.histograms(net, n_networks=100, rng=2015)
ax = vp.plot.histograms(found, quantity="activation")
