"""
Audit an initialiser of one's own
=================================

:func:`varprop.audit` holds what a function returns against the law that it claims. This one takes the wrong fan, as happens
when a weight matrix is transposed: for a matrix of 64 x 100, the fan-in is 100.
"""

import varprop as vp


def he(shape, rng):
    return rng.normal(0.0, (2 / shape[0]) ** 0.5, shape)


vp.audit(he, (64, 100), law="he_normal", rng=1)
