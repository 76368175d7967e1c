"""The built-in activations, one entry each, by family."""

from __future__ import annotations

from varprop.model.catalogue.entry import Entry
from varprop.model.catalogue.rectifiers import RECTIFIERS
from varprop.model.catalogue.sigmoids import SIGMOIDS
from varprop.model.catalogue.smooth_rectifiers import SMOOTH_RECTIFIERS

CATALOGUE: dict[str, Entry] = {**RECTIFIERS, **SIGMOIDS, **SMOOTH_RECTIFIERS}
