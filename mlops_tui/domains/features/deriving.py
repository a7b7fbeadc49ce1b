"""Transformations: registered, kept by version, and run."""

from __future__ import annotations

import dataclasses
import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.features import project_code, row_sql, transforming
from mlops_tui.domains.features.declaring import Declaring
from mlops_tui.domains.features.derived_records import Input, Made, Transform
from mlops_tui.domains.features.records import BIGINT, DOUBLE, TYPES, Mode, Snapshot, Table
from mlops_tui.domains.features.words import choice

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.features.ingest import Progress

_TRIED = {"BOOLEAN": False, "BIGINT": 1, "DOUBLE": 1.0, "VARCHAR": "a", "TIMESTAMPTZ": "2025-01-01T00:00:00Z"}


class Deriving(Declaring):
    """Transformations: tables filled by code, and values worked out on demand."""

    # -- transformations ---------------------------------------------------------------------------------------------

    def add_transform(
        self,
        name: str,
        *,
        sql: str = "",
        python: str = "",
        inputs: Sequence[str] = (),
        mode: Mode | str = Mode.REPLACE,
    ) -> Transform:
        """Register how table `name` is filled: a SELECT over tables, or `module:function` (frames of `inputs` in, frame out).

        The text of the function's module is kept, and is what runs from then on; registering changed code makes the next
        version, the same code changes nothing. Raises NotFound, InvalidInput.
        """
        table = self._snapshots.table(name)
        one = self._kind(name, sql, python, on_demand=False)
        if one.kind == "sql":
            if inputs:
                raise InvalidInput("A SELECT names its tables itself.", hint="Leave --input out.")
            self.sql(sql, limit=0)
            with self._context.lake.connection() as connection:
                inputs = row_sql.tables_of(connection, one.body)
        elif not inputs:
            raise InvalidInput("A function needs tables to read.", hint="Name them: --input orders --input weather@2")
        for ref in inputs:
            self.snapshot(ref)
        chosen = choice(Mode, mode, "mode").value
        return self._register(dataclasses.replace(one, inputs=tuple(inputs), mode=chosen), table)

    def add_view(
        self,
        name: str,
        *,
        sql: str = "",
        python: str = "",
        inputs: Sequence[str] = (),
        request: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
    ) -> Transform:
        """Register an on-demand transformation: worked out for each row of a join, and at each lookup, by the same code.

        `inputs` are looked up by key (`weather:temp,hum`), `request` fields (name -> type) come with the request or the spine.
        `sql` is a select list over one row (`temp - base AS warmer`), `python` a `module:function` (frame in, frame out, same
        rows); it is tried on a made-up row to learn what it gives, unless `outputs` (name -> type) say so. Raises InvalidInput.
        """
        check_name("on-demand transformation", name)
        if name in self._store.names():
            raise AlreadyExists(f"There is a feature table '{name}' already.", hint="Choose another name.")
        asked = {key: _kind(kind) for key, kind in (request or {}).items()}
        one = dataclasses.replace(
            self._kind(name, sql, python, on_demand=True), fields=self._fields(inputs, asked), request=asked
        )
        kinds = {field.name: field.type for field in one.fields} | asked
        if not kinds:
            raise InvalidInput(
                "It works on nothing.", hint="Name what it takes: --input weather:temp --request base:DOUBLE"
            )
        if one.kind == "sql":
            with self._context.lake.private() as connection:
                row_sql.close_doors(connection, None)
                found = row_sql.check_row_wise(connection, sql, kinds)
        else:
            found = {key: _kind(kind) for key, kind in (outputs or {}).items()} or self._tried(one, kinds)
        return self._register(dataclasses.replace(one, outputs=found), None)

    def transforms(self) -> list[Transform]:
        """The newest version of each transformation, by name."""
        return self._derived.find()

    def transform(self, name: str) -> list[Transform]:
        """All versions of a transformation, newest first. Raises NotFound."""
        found = self._derived.versions(name)
        if not found:
            names = [one.name for one in self._derived.find()]
            hint = did_you_mean(name, names, "Register one: mlops features transform add")
            raise NotFound(f"There is no transformation '{name}'.", hint=hint)
        return found

    def made(self, name: str) -> list[Made]:
        """Which snapshots of a table were made by its transformation, from which snapshots, newest first."""
        return self._derived.made(self._snapshots.table(name))

    def changed(self, name: str) -> bool:
        """Whether the file of a function is another than when it was registered (what runs is what was registered)."""
        one = self.transform(name)[0]
        if one.kind == "sql":
            return False
        try:
            return project_code.find_source(one.body, self._context.workspace.project) != one.source
        except (NotFound, InvalidInput):
            return True

    def remove_transform(self, name: str) -> None:
        """Forget a transformation. What it made stays, and which version of it made it."""
        newest = self.transform(name)[0]
        with self._context.catalog.write() as tx:
            self._derived.remove(tx, name)
            before = {"version": newest.version, "code": newest.code_hash}
            self._audit.note(tx, "remove", "transformation", name, before=before)

    def run_transform(self, name: str, *, message: str = "", progress: Progress | None = None) -> Snapshot:
        """Fill a table by its transformation, as a snapshot that records its version and what it read.

        When neither the code nor what it reads has changed since, the snapshot made then is returned. Raises NotFound,
        InvalidInput; then nothing was changed.
        """
        from mlops_tui.domains.features.taking import Ingest

        one = self.transform(name)[0]
        if one.on_demand:
            raise InvalidInput(
                f"'{name}' is worked out on demand; there is nothing to run.", hint=f"mlops features lookup {name} ..."
            )
        table = self._snapshots.table(name)
        read = tuple(self.snapshot(ref).reference for ref in one.inputs)
        told = hashlib.sha256("\n".join((one.code_hash, *read)).encode()).hexdigest()[:16]
        for made in self._derived.made(table):
            same = made.code_hash == one.code_hash and made.inputs == read
            if same and (one.mode == Mode.APPEND or made.version == table.latest_version):
                return self.snapshot(f"{name}@{made.version}")
        frame = self._worked(one, read)
        made = Made(name, 0, one.version, one.code_hash, read)

        def record(tx: sqlite3.Connection, head: Table, snapshot: Snapshot) -> None:
            self._derived.add_made(tx, head, snapshot, made)

        taking = Ingest(self._context, self._audit, self._store, table, progress, made=record)
        said = message or f"version {one.version} of its transformation over {', '.join(read)}"
        return taking.run(
            frame, Mode(one.mode), message=said, batch_id=f"transform:{told}:{table.latest_version}", types={}
        )

    def _worked(self, one: Transform, read: Sequence[str]) -> pd.DataFrame:
        if one.kind == "python":
            return self._transforms.call(one, [self.frame(ref) for ref in read])
        from mlops_tui.domains.features import offline

        with self._snapshots.held() as hold, self._context.lake.private() as connection:
            pins = dict(zip(one.inputs, read, strict=True))
            folder = self._context.lake.root / "features"
            arrow = offline.query(connection, one.body, lambda ref: hold(*self._snapshots.resolve(pins[ref])), folder)
            return offline.as_frame(arrow)

    # -- registering -------------------------------------------------------------------------------------------------

    def _kind(self, name: str, sql: str, python: str, *, on_demand: bool) -> Transform:
        if bool(sql) == bool(python):
            raise InvalidInput("Say either how in SQL or by which function.", hint="--sql 'SELECT ...' or --python m:f")
        if sql:
            return Transform(name, 0, "sql", on_demand, sql.strip())
        project = self._context.workspace.project
        one = Transform(name, 0, "python", on_demand, python, source=project_code.find_source(python, project))
        project_code.load(one, project)
        return one

    def _register(self, one: Transform, table: Table | None) -> Transform:
        with self._context.catalog.write() as tx:
            before = self._derived.get(one.name)
            if before is not None and before.on_demand is not one.on_demand:
                raise AlreadyExists(f"There is a transformation '{one.name}' already.", hint="Choose another name.")
            if before is not None and before.code_hash == one.code_hash:
                return before
            new = dataclasses.replace(
                one,
                version=before.version + 1 if before else 1,
                author=self._context.actor,
                created_at=self._context.now(),
            )
            self._derived.add(tx, table, new)
            after = {"version": new.version, "kind": new.kind, "code": new.code_hash}
            self._audit.note(tx, "register", "transformation", new.name, after=after)
        return new

    def _fields(self, inputs: Sequence[str], request: Mapping[str, str]) -> tuple[Input, ...]:
        from mlops_tui.domains.features.join import name_columns

        for ref in inputs:
            if "@" in ref.partition(":")[0]:
                raise InvalidInput(
                    f"'{ref}' names a version, and what is online has none.", hint="Leave the version out."
                )
            if self._view(ref) is not None:
                raise InvalidInput(f"'{ref}' is on demand itself.", hint="Take the columns of tables.")
        asked = [self._asked(ref) for ref in inputs]
        named = name_columns(list(request), [(one.table.name, one.names) for one in asked])
        return tuple(
            Input(
                one.table.name,
                name,
                shown,
                one.aggregates[name].type_in(one.snapshot.columns)
                if name in one.aggregates
                else one.snapshot.columns[name],
            )
            for one, names in zip(asked, named, strict=True)
            for name, shown in names.items()
        )

    def _tried(self, one: Transform, kinds: Mapping[str, str]) -> dict[str, str]:
        """What a function gives, learned from a made-up row."""
        import pandas as pd

        row = pd.DataFrame({key: transforming.typed(key, [_TRIED[kind]], kind) for key, kind in kinds.items()})
        try:
            found = self._transforms.call(one, [row])
        except InvalidInput as error:
            hint = "Correct it, or say what it gives: --output NAME:TYPE"
            raise InvalidInput(f"Tried on a made-up row, {error.message}", hint=hint) from error
        outputs = {str(key): transforming.kind_of(found[key]) for key in found.columns if key not in kinds}
        if len(found) != 1 or not outputs:
            raise InvalidInput(
                f"{one.body} gave {len(found)} rows and {len(outputs)} new columns for one row.",
                hint="Return a frame with the same rows and new columns.",
            )
        return outputs


def _kind(word: str) -> str:
    names = {"INT": BIGINT, "INTEGER": BIGINT, "FLOAT": DOUBLE, "TEXT": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ"}
    kind = names.get(word.upper(), word.upper())
    if kind not in TYPES:
        raise InvalidInput(f"'{word}' is no type.", hint=f"There are: {', '.join(TYPES)}.")
    return kind
