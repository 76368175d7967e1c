"""The built-in activations, one entry each, by family."""

from __future__ import annotations

from varprop.model.catalogue.elu import EXPONENTIAL_RECTIFIERS
from varprop.model.catalogue.hard import HARD
from varprop.model.catalogue.rectifiers import LOGISTIC_RECTIFIERS, RECTIFIERS
from varprop.model.catalogue.sigmoids import NORMAL_RECTIFIERS, SIGMOIDS
from varprop.model.catalogue.waves import JUMPS, WAVES
from varprop.model.formulas import Entry

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
