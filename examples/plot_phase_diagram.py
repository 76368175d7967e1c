"""
Order and chaos
===============

:func:`varprop.plot.phase_diagram` draws the factor by which squared gradients change per layer, over the variances of
weights and biases. On the line, the edge of chaos, they are kept.
"""

import numpy as np

import varprop as vp

table = vp.theory.phase_diagram("tanh", np.linspace(0.2, 4, 30), np.linspace(0, 0.6, 16))
ax = vp.plot.phase_diagram(table)
