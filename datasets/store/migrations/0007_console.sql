-- People: who may sign in to the console, and what they wrote and changed there.

-- A name is that of one person, whatever the creditor; creditor_id is empty for
-- those who serve all creditors. password is an Argon2id hash in PHC form, empty
-- for those whom an OpenID Connect provider vouches for.
CREATE TABLE users (
    name         VARCHAR PRIMARY KEY,
    creditor_id  VARCHAR NOT NULL DEFAULT '',
    role         VARCHAR NOT NULL,
    password     VARCHAR NOT NULL DEFAULT '',
    language     VARCHAR NOT NULL DEFAULT '',
    theme        VARCHAR NOT NULL DEFAULT '',
    created_at   TIMESTAMPTZ NOT NULL,
    disabled_at  TIMESTAMPTZ,
    failures     INTEGER NOT NULL DEFAULT 0,
    locked_until TIMESTAMPTZ
);

-- Only the SHA-256 of a session's token is kept. as_of is the moment its reader
-- looks at the books from; NULL: now.
CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    name       VARCHAR NOT NULL,
    csrf       VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    as_of      TIMESTAMPTZ
);

-- What a person wrote about a debtor. object names what it is about: a decision,
-- a case, an alert; empty: the debtor.
CREATE TABLE notes (
    creditor_id VARCHAR NOT NULL,
    note_id     VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    written_at  TIMESTAMPTZ NOT NULL,
    actor       VARCHAR NOT NULL,
    object      VARCHAR NOT NULL DEFAULT '',
    text        VARCHAR NOT NULL,
    PRIMARY KEY (creditor_id, note_id)
);

-- Every change of a creditor's settings: the field as a JSON pointer, and its
-- JSON before and after.
CREATE TABLE settings_history (
    creditor_id VARCHAR NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL,
    actor       VARCHAR NOT NULL,
    field       VARCHAR NOT NULL,
    before      VARCHAR NOT NULL,
    after       VARCHAR NOT NULL
);
