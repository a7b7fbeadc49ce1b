"""Continuous integration of pipelines: tested on a sample, packaged under a hash, placed in an environment, and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.experiments.environment import git_state
from mlops_tui.domains.pipelines import bundle, lock, proving
from mlops_tui.domains.pipelines import definition as definitions
from mlops_tui.domains.pipelines.again import Again
from mlops_tui.domains.pipelines.packages_store import PackagesStore, archives
from mlops_tui.domains.pipelines.records import Environment, Finding, Package, Placement, RunState, TestReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.domains.pipelines.bundle import Bundle
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.pipelines.records import Definition

SAMPLE_ROWS = 2000
_SHOWN = 5


class Packaging(Again):
    """The part of the room that makes packages of definitions and puts them to work."""

    _packages: PackagesStore

    def get(self, name: str) -> Definition:
        raise NotImplementedError

    def test(
        self,
        name: str,
        *,
        rows: int = SAMPLE_ROWS,
        source: Path | None = None,
        told: Callable[[str], None] = lambda text: None,
    ) -> TestReport:
        """Run every step on at most `rows` rows, each once more alone, with all contracts and the project's own tests.

        What is tested is the bundle that would be packaged, unpacked elsewhere: a file it forgot is found here. `source` is
        a folder with `pipelines/NAME.toml` and its code, by default the project. Runs as a job and waits for it; `told` hears
        what that job has to wait for.
        Raises InvalidInput for mistakes in the definition, NotFound for files and tables that are not there.
        """
        if rows < 1:
            raise InvalidInput("A test needs rows.", hint="Such as: --rows 2000")
        recipe, made, commit = self._collected(name, source)
        options = {
            "test": {"rows": rows, "content": made.content},
            "bundle": archives(self._context).put_bytes(bundle.pack(made, name)),
            "commit": commit,
            "cache": False,
        }
        cause = {"kind": "test", "by": self._context.actor}
        job = self._submit(recipe, made.definition, cause, options, wait=True, told=told)
        return self.report(str(job.spec["run_id"]))

    def report(self, run_id: str) -> TestReport:
        """What a run that tested a pipeline found, so far as it got. Raises NotFound for any other run."""
        run = self.get_run(run_id)
        asked = run.options.get("test")
        if not asked:
            raise NotFound(f"Run {run.id[:8]} tested nothing.", hint=f"mlops pipelines test {run.pipeline}")
        said = run.facts.get("test", {"checks": [], "rows": 0})
        found = proving.findings(said["checks"])
        if run.state is not RunState.SUCCEEDED and not any(not one.passed for one in found):
            found.append(Finding("whole", run.pipeline, False, run.error or f"the run {run.state}"))
        took = (run.ended_at or run.created_at) - (run.started_at or run.created_at)
        passed = bool(found) and all(one.passed for one in found)
        return TestReport(run.pipeline, run.id, asked["content"], passed, found, said["rows"], run.created_at, took)

    def package(
        self,
        name: str,
        why: str = "",
        *,
        source: Path | None = None,
        told: Callable[[str], None] = lambda text: None,
    ) -> Package:
        """Make an immutable package of a definition with its code, tests and lock, under the hash of the archive.

        Tested first, unless this very content was. The same content is the same package. Raises InvalidInput when a test
        fails, and what `test` raises.
        """
        _, made, commit = self._collected(name, source)
        known = self._packages.with_content(name, made.content)
        if known is not None:
            return known
        report = self._tested(name, made.content) or self.test(name, source=source, told=told)
        if not report.passed:
            raise proving.failed(report.checks)
        if report.content != made.content:
            raise InvalidInput(f"{name} was edited while it was tested.", hint=f"mlops pipelines package {name}")
        data = bundle.pack(made, name, dataclasses.asdict(report))
        sha = archives(self._context).put_bytes(data)
        with self._context.catalog.write() as tx:
            known = self._packages.with_content(name, made.content)
            if known is not None:
                return known
            package = Package(
                pipeline=name,
                version=self._packages.next_version(name),
                sha=sha,
                content=made.content,
                definition=made.definition,
                files=made.hashes,
                lock=made.lock,
                commit=commit,
                report=report,
                why=why,
                created_at=self._context.now(),
                created_by=self._context.actor,
            )
            self._packages.add(tx, package)
            self._audit.note(tx, "package", "pipeline", package.ref, why=why, after={"sha": sha, "commit": commit})
        return package

    def packages(self, name: str | None = None) -> list[Package]:
        """Packages of one pipeline or of all, newest first."""
        return self._packages.find(name)

    def package_of(self, ref: str) -> Package:
        """The package of `NAME@3`, or the newest of `NAME`. Raises NotFound, or InvalidInput for no reference."""
        name, wanted = ids.split_reference(ref)
        found = self._packages.find(name)
        if not found:
            raise NotFound(f"There is no package of {name!r}.", hint=f"mlops pipelines package {name}")
        if wanted in (None, "", "latest"):
            return found[0]
        if not str(wanted).isdigit():
            raise InvalidInput(f"{wanted!r} is no version of a package.", hint=f"Such as: {found[0].ref}")
        package = self._packages.get(name, int(str(wanted)))
        if package is None:
            known = ", ".join(str(one.version) for one in reversed(found))
            raise NotFound(f"There is no package {ref}.", hint=f"Versions of {name}: {known}.")
        return package

    def deploy(self, ref: str, to: str, why: str = "", *, wait: bool = False) -> Placement:
        """Put a package into staging or production: its hash and the libraries here are checked, then it runs there.

        When all steps of that run work it is active: what triggers set off from then on is this package, in production
        before staging. Until then, and when the run fails, what was active stays. Raises NotFound, InvalidInput for a
        package whose bytes were altered, NotAllowed when the libraries here are not those of its lock.
        """
        environment = _environment(to)
        package = self.package_of(ref)
        self._check(package)
        recipe = definitions.parse(package.definition, f"{package.pipeline}.toml")
        cause = {"kind": "deploy", "package": package.ref, "to": str(environment), "by": self._context.actor}
        with self._context.catalog.write() as tx:
            job = self._submit(recipe, package.definition, cause, placed_options(package, environment))
            placement = self._placed(tx, package, environment, "deploy", str(job.spec["run_id"]), why)
        if wait:
            self._jobs.wait(job.id, start=True)
            self.get_run(str(job.spec["run_id"]))  # closes a run whose job ended without it
        return self._placement(placement)

    def rollback(self, name: str, environment: str, why: str = "") -> Placement:
        """Make the package active that was so before, at once: it ran there already. Raises NotAllowed without one."""
        where = _environment(environment)
        now = self._packages.active(name, where)
        earlier = [
            one
            for one in self._packages.placements(name, 1000)
            if one.environment == where and one.state == "replaced" and one.version != now
        ]
        if now is None or not earlier:
            raise NotAllowed(f"{name} had no other package in {where}.", hint=f"mlops pipelines history {name}")
        package = self.package_of(f"{name}@{earlier[0].version}")
        self._check(package)
        with self._context.catalog.write() as tx:
            placement = self._placed(tx, package, where, "rollback", earlier[0].run_id, why)
        return self._placement(placement)

    def placements(self, name: str | None = None, limit: int = 50) -> list[Placement]:
        """What was put where by whom, newest first."""
        return self._packages.placements(name, limit)

    def active(self, name: str) -> tuple[Environment, Package] | None:
        """The package that triggers set off, with where it is live: production before staging; None when there is none."""
        for environment in (Environment.PRODUCTION, Environment.STAGING):
            version = self._packages.active(name, environment)
            package = None if version is None else self._packages.get(name, version)
            if package is not None:
                return environment, package
        return None

    def _collected(self, name: str, source: Path | None) -> tuple[Recipe, Bundle, str]:
        project = source or self._context.workspace.project
        path = Path(self.get(name).path) if source is None else source / "pipelines" / f"{name}.toml"
        if not path.is_file():
            raise NotFound(f"There is no pipeline file {path}.", hint="A source holds pipelines/NAME.toml.")
        recipe = definitions.read(path)
        if recipe.pipeline.name != name:
            raise InvalidInput(f"{path.name} is called {recipe.pipeline.name!r}, not {name!r}.")
        made = bundle.collect(recipe, path.read_text(encoding="utf-8"), project)
        return recipe, made, git_state(project).commit

    def _tested(self, name: str, content: str) -> TestReport | None:
        """The newest test of this content, when it passed."""
        run = self._store.test_of(name, content)
        report = self.report(run.id) if run else None
        return report if report and report.passed else None

    def _check(self, package: Package) -> None:
        try:
            archives(self._context).path(package.sha)
        except (InvalidInput, NotFound) as error:
            raise type(error)(
                f"Package {package.ref} no longer has the hash it was made with; it is not run.",
                hint=f"Restore it from a backup, or: mlops pipelines package {package.pipeline}",
            ) from error
        wrong = lock.missing(package.lock)
        if wrong:
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            raise NotAllowed(
                f"{package.ref} cannot run here: {'; '.join(wrong[:_SHOWN])}{more}.",
                hint=f"Install its lock (mlops pipelines packages show {package.ref} --lock), or package it anew.",
            )

    def _placed(self, tx: Any, package: Package, environment: Environment, action: str, run: str, why: str) -> int:
        who, now = self._context.actor, self._context.now()
        number = self._packages.place(tx, package, environment, action, run, why, who, now)
        before = self._packages.active(package.pipeline, environment)
        after = {"environment": str(environment), "run": run, "before": before}
        self._audit.note(tx, action, "pipeline_package", package.ref, why=why, after=after)
        return number

    def _placement(self, number: int) -> Placement:
        return next(one for one in self._packages.placements(None, 1000) if one.id == number)


def placed_options(package: Package, environment: Environment) -> dict[str, Any]:
    """The options of a run of a package in an environment."""
    return {"package": package.ref, "bundle": package.sha, "commit": package.commit, "environment": str(environment)}


def _environment(to: str) -> Environment:
    if to not in set(Environment):
        hint = ids.did_you_mean(to, list(Environment), f"Environments: {', '.join(Environment)}.")
        raise InvalidInput(f"There is no environment {to!r}.", hint=hint)
    return Environment(to)
