-- Openings that a learning found made by machines, and from when it was known:
-- a question as of an earlier moment still takes them for a person's.
CREATE TABLE machine_opens (
    creditor_id VARCHAR NOT NULL,
    event_id    VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    known_at    TIMESTAMPTZ NOT NULL,
    verdict     VARCHAR NOT NULL,
    PRIMARY KEY (creditor_id, event_id)
);
