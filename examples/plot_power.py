"""
How many networks?
==================

:func:`varprop.plot.power` draws the probability of the right verdict over the number of networks, for truths within and
beyond the margin. The variance here is that of a ReLU network's log gain over 10 layers of 64 units, some 5/64 a layer.
A truth just inside the margin takes most networks.
"""

import varprop as vp

ax = vp.plot.power(variance=5 * 10 / 64, margin=0.05)
