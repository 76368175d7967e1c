"""All initialisers of a framework, each against the law that its documentation states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from varprop._arguments import quoted
from varprop._typing import RNGLike
from varprop.bridges.catalogue import Bridge, StatedInitializer
from varprop.model.initializers import InitializerLike
from varprop.numerics.streams import named_generator, root_sequence
from varprop.verification.audit.auditing import audit
from varprop.verification.audit.result import ALPHA, Audit

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class CaseAudit:
    """An initialiser of a framework and what came out."""

    case: StatedInitializer
    audit: Audit

    @property
    def contradicts(self) -> bool:
        """True if what the documentation states is refuted."""
        return self.case.documented and self.audit.verdict == "refuted"

    @property
    def shape(self) -> str:
        """What was asked for: ``64x3x3``."""
        return "x".join(map(str, self.audit.shape))

    @property
    def variance_ratio(self) -> float:
        """Variance of the draws over the law's; NaN if none came to be tested."""
        part = self.audit.part("variance")
        return math.nan if part is None else part.estimate / part.predicted


def audit_bridge(
    bridge: Bridge,
    *,
    only: str | None = None,
    n_draws: int | None = None,
    rng: RNGLike,
    progress: Callable[[str], object] | None = None,
) -> list[CaseAudit]:
    """Audit every initialiser of a framework."""
    return list(_audits(bridge, _wanted(bridge, only), n_draws, rng, progress))


def _wanted(bridge: Bridge, only: str | None) -> list[StatedInitializer]:
    cases = [case for case in bridge.cases if only is None or only.lower() in case.name.lower()]
    if not cases:
        names = ", ".join(dict.fromkeys(case.name for case in bridge.cases))
        msg = f"no initialiser of {bridge.name} has {quoted(only)} in its name; there are {names}"
        raise ValueError(msg)
    return cases


def _audits(
    bridge: Bridge,
    cases: list[StatedInitializer],
    n_draws: int | None,
    rng: RNGLike,
    progress: Callable[[str], object] | None,
) -> Iterator[CaseAudit]:
    root = root_sequence(rng)
    for case in cases:
        if progress is not None:
            progress(case.name)
        yield CaseAudit(case, audit_case(bridge, case, case.law, n_draws=n_draws, root=root))


def audit_case(
    bridge: Bridge,
    case: StatedInitializer,
    law: InitializerLike,
    *,
    n_draws: int | None,
    root: np.random.SeedSequence,
    alpha: float = ALPHA,
) -> Audit:
    """Hold one initialiser against a law, be it the stated one or another: the draws are the same."""
    seed = f"{root.entropy} {root.spawn_key}"
    generator = named_generator("audit", seed, bridge.name, case.name, case.statement)
    with bridge.seeded(int(generator.integers(2**32))):
        return audit(
            case.initializer,
            case.shape,
            law=law,
            fan_in=case.fan_in,
            fan_out=case.fan_out,
            groups=case.groups,
            n_draws=n_draws,
            alpha=alpha,
            rng=generator,
        )


def to_frame(found: Sequence[CaseAudit]) -> pd.DataFrame:
    """One row for each initialiser."""
    import pandas as pd

    rows = [
        {
            "initializer": one.case.name,
            "verdict": one.audit.verdict,
            "cause": one.audit.cause,
            "variance_ratio": one.variance_ratio,
            "kurtosis": one.audit.kurtosis,
            "law_kurtosis": one.audit.law_kurtosis,
            "shape": one.shape,
            "fan_in": one.audit.fans.fan_in,
            "fan_out": one.audit.fans.fan_out,
            "law": one.audit.law,
            "statement": one.case.statement,
            "source": one.case.source,
            "documented": one.case.documented,
            "n_draws": one.audit.n_draws,
            "note": one.audit.note,
        }
        for one in found
    ]
    return pd.DataFrame(rows)


def parts_frame(found: Sequence[CaseAudit]) -> pd.DataFrame:
    """One row for each part of each initialiser's audit."""
    import pandas as pd

    frames = [
        one.audit.to_frame().assign(initializer=one.case.name, shape=one.shape, statement=one.case.statement)
        for one in found
    ]
    together = pd.concat(frames, ignore_index=True)
    first = ["initializer", "shape", "statement"]
    return together[[*first, *(name for name in together.columns if name not in first)]]
