"""
Where two inputs end up
=======================

:func:`varprop.plot.correlation_map` draws what one wide layer makes of the correlation of two inputs. In the chaotic phase,
as here, two inputs that are nearly alike are driven apart: c = 1 does not attract.
"""

import varprop as vp

ax = vp.plot.correlation_map("tanh", weight_variance=3, bias_variance=0.05)
