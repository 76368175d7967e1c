"""A study's samples, made block by block into a folder and read back from it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from varprop._arguments import checked
from varprop.model.cards import card
from varprop.model.layers import UnsupportedError
from varprop.model.simulation import Simulation
from varprop.study.earlier import plan_there
from varprop.study.errors import Problem, StudyError
from varprop.study.files import read_text
from varprop.study.judgement import Judgement, fingerprint_of, follow, judgement
from varprop.study.looks import Look, read_looks
from varprop.study.manifest import Store, networks_used, read_manifest
from varprop.study.parsing import MAX_BYTES, parse_study
from varprop.study.standing import Standing, stand
from varprop.study.study import Scope, Study, facts_of, held_against, statement_of
from varprop.verification.claims import SYMBOLS, VERDICTS
from varprop.verification.compare import Case, Found, judge
from varprop.verification.verdict import Verdict, to_frame
from varprop.verification.watching import Watch

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Surprise:
    """A verdict that is not the one the study expects; only the opposite one contradicts it."""

    claim: str
    configuration: str
    quantity: str
    expect: str
    verdict: str
    contradicts: bool


@dataclass(frozen=True)
class Run:
    """A finished run: a study and the folder with its samples.

    Parameters
    ----------
    study : Study
        What was asked.
    path : Path
        ``runs/<study>``.
    networks : int
        Networks per configuration, which may be other than the study's own number; of a sequential study the most that
        there may be.
    used : mapping of str to int
        Networks of each configuration by its label: fewer where sequential claims were decided before.
    watches : mapping of str to Watch, optional
        The claims of a sequential study, if they have been judged already.
    """

    study: Study
    path: Path
    networks: int
    used: Mapping[str, int]
    watches: Mapping[str, Watch] | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Run({self.study!r}, {self.networks} networks, at {str(self.path)!r})"

    def _repr_html_(self) -> str:
        from varprop.study.run import run_card

        # A look at a run tests nothing: the verdicts are shown if somebody has asked for them before.
        known = self.__dict__.get("_judgement")
        return run_card(self.study, str(self.path), self.used, None if known is None else known.verdicts)

    @property
    def manifest(self) -> dict[str, Any]:
        """What ``manifest.json`` says: versions, seed, commit, platform, BLAS, and the samples' keys."""
        return read_manifest(self.path)

    @cached_property
    def _simulations(self) -> dict[str, Simulation]:
        stores = self._stores(self.used)
        for store in stores.values():
            store.check()
        return {label: store.simulation() for label, store in stores.items()}

    def _stores(self, networks: Mapping[str, int]) -> dict[str, Store]:
        """The first so many networks of each configuration."""
        return {
            c.label: Store(self.path, plan_there(self.study, c, self.path, networks=networks[c.label]))
            for c in self.study.configurations
        }

    def simulations(self) -> dict[str, Simulation]:
        """Return the samples as simulations, whose values stay on disk until they are asked for.

        Returns
        -------
        dict of str to Simulation
            By the configurations' labels, in the study's order. ``chunks()`` of one goes through it in little memory;
            ``values`` reads a quantity, every time anew.

        Raises
        ------
        StudyError
            If a part is missing; if one is damaged, when it is read.
        """
        return dict(self._simulations)

    def samples(self) -> pd.DataFrame:
        """Return every sample as one tidy frame.

        Returns
        -------
        DataFrame
            ``configuration`` (categorical) and the columns of `Simulation.to_frame`.

        Raises
        ------
        StudyError
            If a part is missing or damaged.
        """
        return _stack({label: simulation.to_frame() for label, simulation in self._simulations.items()})

    @cached_property
    def _summary(self) -> pd.DataFrame:
        return _stack({label: simulation.summary() for label, simulation in self._simulations.items()})

    def summary(self) -> pd.DataFrame:
        """Describe how each quantity is distributed over the networks of each configuration, layer by layer.

        Returns
        -------
        DataFrame
            ``configuration`` (categorical) and the columns of `Simulation.summary`. Samples are read once, block by block.

        Raises
        ------
        StudyError
            If a part is missing or damaged.
        """
        return self._summary.copy()

    def predictions(self) -> pd.DataFrame:
        """Return what theory says of every configuration.

        Returns
        -------
        DataFrame
            ``configuration`` (categorical) and the columns of `predict`, for each theory that a claim about the
            configuration names, and for "mean-field" where it has rules for the network. None of trained networks.

        Raises
        ------
        StudyError
            If a part is missing.
        """
        import pandas as pd

        from varprop.theory.predictions import predict

        if self.study.training is not None:
            return pd.DataFrame(columns=["configuration", "layer", "module", "quantity", "theory", "predicted"])
        frames = {}
        for label, simulation in self._simulations.items():
            claimed = [claim.theory for claim in self.study.claims_about(label) if claim.theory is not None]
            tables = []
            for theory in dict.fromkeys([*claimed, "mean-field"]):
                with contextlib.suppress(*(() if theory in claimed else (UnsupportedError,))):
                    tables.append(predict(simulation.architecture, theory=theory, inputs=simulation.inputs))
            frames[label] = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return _stack(frames)

    @cached_property
    def _judgement(self) -> Judgement:
        looks = read_looks(self.path, self.manifest)
        return judgement(stand(self.study, looks, self.networks), self.found)

    def found(self, standing: Standing) -> list[Found]:
        """Take the evidence for every claim, from as many networks as a look judges.

        Parameters
        ----------
        standing : Standing
            How the study stands.

        Returns
        -------
        list of tuple
            Label, claim and evidence, in the order of the statements.

        Raises
        ------
        StudyError
            If a part is missing or damaged, or a test does not apply to what was sampled.
        """
        if self.study.stopping == "sequential":
            watches = self.watches
            if watches is None:  # the samples alone are there: look by look again
                plans = {
                    c.label: plan_there(self.study, c, self.path, networks=self.networks)
                    for c in self.study.configurations
                }
                watches = follow(standing, self.path, plans, lambda _: None)
            return [(label, one.claim, one.evidence) for label, watch in watches.items() for one in watch.stopped]
        # Of what is judged a part may be needed only, and yet a run that is not finished has no verdicts.
        judged = self._stores({label: min(there, standing.judged) for label, there in self.used.items()})
        cases = [
            Case(configuration=label, simulation=judged[label].simulation(), claims=claims)
            for label in self._simulations
            if (claims := self.study.claims_about(label))
        ]
        try:
            return judge(cases)
        except StudyError:  # a part that cannot be read
            raise
        except (TypeError, ValueError) as error:
            raise StudyError(str(self.path / "study.toml"), [Problem("claims", str(error))]) from error

    @property
    def standing(self) -> Standing:
        """How the study stands: which look this is, with how many networks claims are judged, and what is promised."""
        return self._judgement.standing

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that differ as soon as anything does that a verdict comes from; pages of the run's report bear them."""
        standing = stand(self.study, read_looks(self.path, self.manifest), self.networks)
        samples = {label: (store.plan.key, store.plan.n_networks) for label, store in self._stores(self.used).items()}
        return fingerprint_of(standing, samples)

    @property
    def judged(self) -> tuple[Verdict, ...]:
        """The verdict on each claim, configuration and quantity, which `verdicts` has as a frame."""
        return self._judgement.verdicts

    def verdicts(self) -> pd.DataFrame:
        """Test every claim.

        Returns
        -------
        DataFrame
            The columns of `verify`: for each claim, configuration and quantity a row with the verdict (layer NA) and
            rows per layer without. The chance of any false verdict among them, and among those of all other looks at the
            study, is its alpha; `standing` says which look this is, and whether that holds. Of a sequential study
            p-values and intervals hold at whatever look the claim was decided, and ``n_networks`` counts those by then.

        Raises
        ------
        StudyError
            If a part is missing or damaged, or a test does not apply to what was sampled.
        """
        return to_frame(self.judged)

    def looks(self) -> tuple[Look, ...]:
        """Return every look at the study's claims so far, this one among them; of a study without claims none."""
        return self._judgement.looks

    def surprises(self) -> tuple[Surprise, ...]:
        """Return the verdicts that differ from what the study expects, in the order of the verdicts."""
        return tuple(
            Surprise(one.claim.id, one.configuration, one.claim.quantity, expect, one.verdict, one.contradicts)
            for one in self.judged
            if (expect := one.claim.expect) is not None and expect != one.verdict
        )


def _stack(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put frames under each other, the label of each in front."""
    import pandas as pd

    labels = list(frames)
    stacked = pd.concat(
        [frame.assign(configuration=pd.Categorical([label] * len(frame), labels)) for label, frame in frames.items()],
        ignore_index=True,
    )
    return stacked[["configuration", *(name for name in stacked.columns if name != "configuration")]]


@checked
def load_run(path: str | Path) -> Run:
    """Open a run's folder.

    Parameters
    ----------
    path : str or Path
        ``runs/<study>``, as `run_study` wrote it.

    Returns
    -------
    Run

    Raises
    ------
    StudyError
        If the folder is no run, or its study or manifest is damaged.
    TypeError
        If an argument is of another kind.

    Examples
    --------
    >>> load_run("no-such-run")
    Traceback (most recent call last):
        ...
    varprop.study.errors.StudyError: no-such-run: this is no run's folder ...
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    source = folder / "study.toml"
    try:
        text = read_text(source, limit=MAX_BYTES)
    except (OSError, ValueError) as error:  # no text, or too much of it
        msg = f"its study.toml cannot be read ({error}); run the study again, its samples are kept"
        raise StudyError(str(folder), [Problem("", msg)]) from error
    study = parse_study(text, name=manifest["study"], source=str(source))
    sampled = networks_used(manifest)
    used = {c.label: sampled.get(c.label, manifest["networks"]) for c in study.configurations}
    return Run(study, folder, manifest["networks"], used)


UNTESTED = "not tested yet: verdicts() does"


def run_card(study: Study, folder: str, used: Mapping[str, int], verdicts: Sequence[Verdict] | None) -> str:
    """Describe a run: what was sampled, and a row for each claim."""
    fewest, most = min(used.values()), max(used.values())
    sampled = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    facts = {"networks": f"{sampled} of each configuration", **facts_of(study), "folder": folder}
    rows = [
        (scope.claim.id, statement_of(scope), held_against(scope), _told(verdicts, scope), scope.claim.expect or "")
        for scope in study.scopes
    ]
    return card(f"Run: {study.title}", facts, ("claim", "statement", "test", "verdicts", "expected"), rows)


def _told(verdicts: Sequence[Verdict] | None, scope: Scope) -> str:
    if verdicts is None:
        return UNTESTED
    counts = Counter(one.verdict for one in verdicts if one.claim == scope.claim)
    return ", ".join(f"{SYMBOLS[verdict]} {counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
