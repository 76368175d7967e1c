"""
Where the signal's length settles
=================================

:func:`varprop.plot.length_map` draws what one wide layer makes of a second moment q. Where the curve crosses the diagonal
q stays; a full dot attracts, a hollow one does not.
"""

import varprop as vp

ax = vp.plot.length_map("tanh", weight_variance=2.25, bias_variance=0.05)
