"""How the tables of this room came to be, step by step: in the catalog, and in `online.db`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils


def m001_features(db: sqlite_utils.Database) -> None:
    """Tables, their versions, and files that are live from `added` until `removed`."""
    # AUTOINCREMENT: the id names the folder of a table, so a table made again under an old name must not meet old files.
    db.execute(
        "CREATE TABLE feature_table (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, keys TEXT NOT NULL,"
        " time TEXT, created TEXT, description TEXT NOT NULL, ttl INTEGER, head INTEGER NOT NULL DEFAULT 0,"
        " batches INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE feature_version (table_id INTEGER NOT NULL REFERENCES feature_table(id) ON DELETE CASCADE,"
        " version INTEGER NOT NULL, kind TEXT NOT NULL, rows INTEGER NOT NULL, added_rows INTEGER NOT NULL,"
        " bytes INTEGER NOT NULL, columns TEXT NOT NULL, quarantined INTEGER NOT NULL, quarantine_path TEXT,"
        " duplicates INTEGER NOT NULL, author TEXT NOT NULL, message TEXT NOT NULL, created_at INTEGER NOT NULL,"
        " min_time INTEGER, max_time INTEGER, schema_hash TEXT NOT NULL, batch_id TEXT, changes TEXT NOT NULL,"
        " PRIMARY KEY (table_id, version), UNIQUE (table_id, batch_id)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE feature_file (id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL REFERENCES feature_table(id)"
        " ON DELETE CASCADE, path TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER, rows INTEGER NOT NULL,"
        " bytes INTEGER NOT NULL, min_time INTEGER, max_time INTEGER, sha256 TEXT NOT NULL) STRICT"
    )
    db.execute("CREATE INDEX feature_file_live ON feature_file (table_id, added, removed)")
    db.execute(
        "CREATE TABLE feature_check (table_id INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,"
        " report TEXT NOT NULL, PRIMARY KEY (table_id, version),"
        " FOREIGN KEY (table_id, version) REFERENCES feature_version(table_id, version) ON DELETE CASCADE)"
        " STRICT, WITHOUT ROWID"
    )


def m002_profiles(db: sqlite_utils.Database) -> None:
    """What is in a version, as JSON: versions never change, so neither does this."""
    db.execute(
        "CREATE TABLE feature_profile (table_id INTEGER NOT NULL, version INTEGER NOT NULL, profile TEXT NOT NULL,"
        " PRIMARY KEY (table_id, version),"
        " FOREIGN KEY (table_id, version) REFERENCES feature_version(table_id, version) ON DELETE CASCADE)"
        " STRICT, WITHOUT ROWID"
    )


def m003_collection(db: sqlite_utils.Database) -> None:
    """Versions whose rows were collected, and a number that every collection raises."""
    db.execute("ALTER TABLE feature_version ADD COLUMN expired_at INTEGER")
    db.execute("CREATE TABLE feature_meta (id INTEGER PRIMARY KEY CHECK (id = 1), gc_epoch INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO feature_meta VALUES (1, 0)")


def m004_derived(db: sqlite_utils.Database) -> None:
    """Aggregates by window, versions of transformations, and which of them made a version of a table."""
    db.execute(
        "CREATE TABLE feature_aggregate (table_id INTEGER NOT NULL REFERENCES feature_table(id) ON DELETE CASCADE,"
        " name TEXT NOT NULL, function TEXT NOT NULL, column TEXT NOT NULL, window INTEGER NOT NULL,"
        " corrected INTEGER NOT NULL, UNIQUE (table_id, name)) STRICT"
    )
    db.execute(
        "CREATE TABLE feature_transform (name TEXT NOT NULL, version INTEGER NOT NULL,"
        " table_id INTEGER REFERENCES feature_table(id) ON DELETE CASCADE, kind TEXT NOT NULL, on_demand INTEGER NOT NULL,"
        " body TEXT NOT NULL, code_hash TEXT NOT NULL, author TEXT NOT NULL, created_at INTEGER NOT NULL,"
        " PRIMARY KEY (name, version)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE feature_made (table_id INTEGER NOT NULL, version INTEGER NOT NULL, transform INTEGER NOT NULL,"
        " code_hash TEXT NOT NULL, inputs TEXT NOT NULL, PRIMARY KEY (table_id, version),"
        " FOREIGN KEY (table_id, version) REFERENCES feature_version(table_id, version) ON DELETE CASCADE)"
        " STRICT, WITHOUT ROWID"
    )


def m005_removed(db: sqlite_utils.Database) -> None:
    """Tables that were removed, with all the catalog said of them, and the paths of their files, as JSON."""
    db.execute(
        "CREATE TABLE feature_removed (table_id INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL,"
        " rows INTEGER NOT NULL, removed_at INTEGER NOT NULL, removed_by TEXT NOT NULL, body TEXT NOT NULL,"
        " paths TEXT NOT NULL) STRICT"
    )


def m001_online(db: sqlite_utils.Database) -> None:
    """Which tables are online up to which version, and pushed rows on their way to the lake."""
    db.execute(
        "CREATE TABLE online_table (table_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, generation INTEGER NOT NULL,"
        " version INTEGER NOT NULL, keys TEXT NOT NULL, time TEXT, created TEXT, ttl INTEGER, columns TEXT NOT NULL,"
        " materialized_at INTEGER NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE online_push (id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL, at INTEGER NOT NULL,"
        " row TEXT NOT NULL, batch TEXT) STRICT"
    )


def m002_windows(db: sqlite_utils.Database) -> None:
    """Which tables have rows of their windows online, for aggregates; and the share of lookups that is logged."""
    db.execute(
        "CREATE TABLE online_window (table_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, version INTEGER NOT NULL,"
        " span INTEGER NOT NULL, columns TEXT NOT NULL, aggregates TEXT NOT NULL) STRICT"
    )
    db.execute("ALTER TABLE online_table ADD COLUMN log_share REAL NOT NULL DEFAULT 0.01")


CATALOG = (m001_features, m002_profiles, m003_collection, m004_derived, m005_removed)
ONLINE = (m001_online, m002_windows)
