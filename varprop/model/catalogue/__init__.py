"""The built-in activations, one entry each, by family."""

from __future__ import annotations

from varprop.model.catalogue.elu import EXPONENTIAL_RECTIFIERS
from varprop.model.catalogue.entry import Entry
from varprop.model.catalogue.gelu import NORMAL_RECTIFIERS
from varprop.model.catalogue.hard import HARD
from varprop.model.catalogue.jumps import JUMPS
from varprop.model.catalogue.rectifiers import RECTIFIERS
from varprop.model.catalogue.sigmoids import SIGMOIDS
from varprop.model.catalogue.smooth_rectifiers import LOGISTIC_RECTIFIERS
from varprop.model.catalogue.waves import WAVES

CATALOGUE: dict[str, Entry] = {
    **RECTIFIERS,
    **EXPONENTIAL_RECTIFIERS,
    **NORMAL_RECTIFIERS,
    **LOGISTIC_RECTIFIERS,
    **HARD,
    **SIGMOIDS,
    **WAVES,
    **JUMPS,
}
