"""What is known and said about a version: its profile, lineage, differences, notes, card and health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, WorkbenchError
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.approvals import Approvals
from mlops_tui.domains.registry.engine_store import EngineStore
from mlops_tui.domains.registry.finding import Finding
from mlops_tui.domains.registry.governance_store import GovernanceStore
from mlops_tui.domains.registry.lineage import trace
from mlops_tui.domains.registry.records import (
    CHAMPION,
    ENGINES,
    EngineChoice,
    EngineTrial,
    LineageItem,
    Note,
    Version,
    VersionDiff,
    compare,
)

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.registry.evidence import Evidence


class Describing(Finding):
    """Versions with what people and the workspace say about them."""

    def __init__(self, context: Context, audit: Audit, features: Features, experiments: Experiments) -> None:
        super().__init__(context)
        self._audit = audit
        self._features = features
        self._experiments = experiments
        self._governance = GovernanceStore(context)
        self._engines = EngineStore(context)
        self.approvals = Approvals(context, audit)

    def profile(self, ref: str) -> dict[str, Any] | None:
        """Return the reference profile of a version (see `profile.py`), or None when it has none."""
        version = self.version(ref)
        sha = self._context.artifacts.manifest(version.sha).get(package.PROFILE)
        return None if sha is None else package.decode(self._context.artifacts.read(sha), version.ref)

    def lost(self, version: Version) -> str:
        """Return what of a version's package is no longer in the store, as a sentence; "" when every file is there."""
        try:
            files = self._context.artifacts.manifest(version.sha)
        except WorkbenchError as error:
            return f"The package of {version.ref} is gone: {error.message}"
        gone = [name for name, sha in files.items() if not self._context.artifacts.has(sha)]
        return f"The package of {version.ref} has lost {', '.join(gone)}." if gone else ""

    def require(self, version: Version) -> None:
        """Raise NotAllowed for a version that could not be served, because files of its package are gone."""
        lost = self.lost(version)
        if lost:
            raise NotAllowed(lost, hint="Restore a backup (mlops restore FILE), or choose another version.")

    def engine(self, ref: str) -> EngineChoice | None:
        """Return how a version is asked for predictions and what each engine showed; None where it was never tried."""
        version = self.version(ref)
        forced = self._engines.find(version.model, version.version)
        sha = self._context.artifacts.manifest(version.sha).get(package.ENGINE)
        if sha is None:
            return EngineChoice(forced, True) if forced else None
        found = package.decode(self._context.artifacts.read(sha), version.ref)
        trials = tuple(EngineTrial(**trial) for trial in found["trials"])
        return EngineChoice(forced or str(found["engine"]), bool(forced), trials)

    def forced_engine(self, version: Version) -> str:
        """Return the engine a person forced on a version, "" where the trial decides."""
        return self._engines.find(version.model, version.version) or ""

    def force_engine(self, ref: str, engine: str | None, why: str = "") -> EngineChoice | None:
        """Serve a version with one engine whatever the trial chose; None leaves it to the trial again.

        Raises InvalidInput (no such engine), NotAllowed (it did not agree with the model on the stored sample).
        """
        version, before = self.version(ref), self.engine(ref)
        if engine is not None and engine not in ENGINES:
            raise InvalidInput(
                f"{engine!r} is no engine.", hint=did_you_mean(engine, list(ENGINES), f"Use {', '.join(ENGINES)}.")
            )
        known = {trial.engine: trial for trial in before.trials} if before else {}
        if engine is not None and known and not (engine in known and known[engine].agrees):
            said = known[engine].note if engine in known else "it was not tried, as it does not suit this model"
            raise NotAllowed(
                f"{version.ref} cannot be served with {engine}: {said}.", hint=f"See: mlops models show {version.ref}"
            )
        with self._context.catalog.write() as tx:
            self._engines.put(tx, version.model, version.version, engine)
            facts = {"before": {"engine": before.engine if before else None}, "after": {"engine": engine or "by trial"}}
            self._audit.note(tx, "force", "model", version.ref, why=why, **facts)
        return self.engine(version.ref)

    def lineage(self, ref: str) -> list[LineageItem]:
        """List what a version was made from: run, snapshots, pipeline run, commit. What is gone is said to be gone."""
        return trace(self.version(ref), self._features, self._experiments)

    def diff(self, left: str, right: str) -> VersionDiff:
        """Compare two versions, of one model or of two."""
        one, two = self.version(left), self.version(right)
        return compare(one, two, (self._params(one), self._params(two)))

    def _params(self, version: Version) -> dict[str, str]:
        try:
            return self._experiments.params(version.run_id) if version.run_id else {}
        except NotFound:  # the run was removed since
            return {}

    def describe(self, ref: str, text: str) -> Version:
        """Say what a version is for (it heads the model card). Raises NotFound."""
        version = self.version(ref)
        with self._context.catalog.write() as tx:
            self._store.describe(tx, version.model, version.version, text)
            before, after = {"description": version.description}, {"description": text}
            self._audit.note(tx, "describe", "model", version.ref, before=before, after=after)
        return self.version(version.ref)

    def note(self, ref: str, text: str) -> Note:
        """Write something down about a version (`m/3`, `m@champion`) or about the model (`m`). Raises NotFound, InvalidInput."""
        model, number = self._meant(ref)
        if not text.strip():
            raise InvalidInput("The note is empty.", hint="Give a sentence.")
        with self._context.catalog.write() as tx:
            self._governance.add_note(tx, model, number, self._context.now(), self._context.actor, text.strip())
            self._audit.note(tx, "note", "model", ref, after={"text": text.strip()})
        return self._governance.notes(model, number)[-1]

    def notes(self, ref: str) -> list[Note]:
        """Return the notes of a model, and those of the version when one is named; oldest first."""
        return self._governance.notes(*self._meant(ref))

    def evidence(self, ref: str) -> Evidence:
        """Return what the run behind a version kept of its judgement; empty where it kept nothing."""
        from mlops_tui.domains.registry import evidence

        return evidence.gather(self._experiments, self.version(ref).run_id)

    def card(self, ref: str) -> str:
        """Return the model card of a version as Markdown."""
        from mlops_tui.domains.registry import card

        version = self.version(ref)
        champion = self.alias(version.model, CHAMPION)
        lost = self.lost(version)
        return card.write(
            card.Facts(
                version=version,
                champion=self.version(f"{version.model}/{champion}") if champion else None,
                params=self._params(version),
                lineage=self.lineage(version.ref),
                profile=None if lost else self.profile(version.ref),
                request=self.approvals.newest(version),
                moves=self.promotions(version.model),
                notes=self.notes(version.ref),
                needed=self.approvals.needed(version.model),
                evidence=self.evidence(ref),
                lost=lost,
            )
        )

    def _meant(self, ref: str) -> tuple[str, int | None]:
        if "/" in ref or "@" in ref:
            version = self.version(ref)
            return version.model, version.version
        return self.model(ref).name, None
