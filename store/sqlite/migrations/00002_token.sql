-- Grants of accounts, and sign-ins under way.

-- +goose Up
-- +goose StatementBegin
-- value is sealed; a removed one keeps its row, so that no revision comes twice.
CREATE TABLE token (
    name  TEXT PRIMARY KEY,
    rev   INTEGER NOT NULL,
    value BLOB
) STRICT, WITHOUT ROWID;
-- +goose StatementEnd
