-- The first schema: ledger and router.
-- Times are microseconds since 1970 in UTC, NULL when unknown.

-- +goose Up
-- +goose StatementBegin
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TABLE job (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    fence  INTEGER NOT NULL,           -- rises with each lease; an older one may not write
    cursor TEXT NOT NULL DEFAULT ''
) STRICT;
-- +goose StatementEnd

-- +goose StatementBegin
-- A mail or a file at the source.
CREATE TABLE item (
    id         INTEGER PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES job (id),
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    rules      TEXT NOT NULL,
    key        TEXT NOT NULL,          -- compared byte by byte: some sources tell keys apart by case only
    epoch      TEXT NOT NULL,
    size       INTEGER NOT NULL,
    time       INTEGER,
    seen       INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    reason     TEXT NOT NULL,
    changed    INTEGER,
    twin       TEXT NOT NULL,
    origin     TEXT NOT NULL,
    documents  INTEGER NOT NULL        -- how many rows of document belong to it; -1 when no manifest was recorded
) STRICT;
-- +goose StatementEnd

CREATE UNIQUE INDEX item_key ON item (job, key);
CREATE INDEX item_twin ON item (job, twin) WHERE twin <> '';
CREATE INDEX item_origin ON item (job, origin, epoch) WHERE origin <> '';
CREATE INDEX item_unsettled ON item (job, key)
    WHERE state NOT IN ('done', 'held', 'deselected', 'quarantined', 'vanished');

-- +goose StatementBegin
-- One line of an item's manifest, refusals included.
CREATE TABLE document (
    item       INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
    ord        INTEGER NOT NULL,
    decision   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    key        TEXT NOT NULL,
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    path       ANY,                    -- JSON array; NULL for none
    ref        TEXT NOT NULL,
    repairs    ANY,                    -- JSON array; NULL for none
    PRIMARY KEY (item, ord)
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd

-- +goose StatementBegin
-- What is or was done to an item at its source, and the source's answer.
CREATE TABLE action (
    item    INTEGER PRIMARY KEY REFERENCES item (id) ON DELETE CASCADE,
    verb    TEXT NOT NULL,
    target  TEXT NOT NULL,
    receipt TEXT NOT NULL
) STRICT;
-- +goose StatementEnd

-- +goose StatementBegin
-- An instance of a connector; secrets within its settings are sealed.
CREATE TABLE connector (
    ord      INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    settings BLOB
) STRICT;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TABLE service (
    name              TEXT PRIMARY KEY,
    default_connector TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd

-- +goose StatementBegin
-- A named use of a service.
CREATE TABLE service_instance (
    service   TEXT NOT NULL REFERENCES service (name) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    connector TEXT NOT NULL,
    PRIMARY KEY (service, name)
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd
