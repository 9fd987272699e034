-- Alerts: what has changed in the behaviour of a debtor or a group, and what
-- people made of it.

-- debtor_id is empty for an alert of a group, whose members are in
-- alert_members.
CREATE TABLE alerts (
    creditor_id VARCHAR NOT NULL,
    alert_id    VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL DEFAULT '',
    kind        VARCHAR NOT NULL,
    opened_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (creditor_id, alert_id)
);

CREATE TABLE alert_members (
    creditor_id VARCHAR NOT NULL,
    alert_id    VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    joined_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (creditor_id, alert_id, debtor_id)
);

-- The life of an alert, step by step: opened, reopened, rolled_up, confirmed,
-- dismissed, snoozed. body is what was found, as JSON, at the steps that found
-- something; the last step that is not after a moment is the state then.
CREATE TABLE alert_verdicts (
    creditor_id VARCHAR NOT NULL,
    alert_id    VARCHAR NOT NULL,
    step        INTEGER NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    verdict     VARCHAR NOT NULL,
    until       TIMESTAMPTZ,
    note        VARCHAR NOT NULL DEFAULT '',
    actor       VARCHAR NOT NULL DEFAULT '',
    body        VARCHAR,
    PRIMARY KEY (creditor_id, alert_id, step)
);

-- What the detectors of a creditor remember beyond the events: what was told,
-- what false discoveries may still cost, what the book is used to.
CREATE TABLE alert_states (
    creditor_id VARCHAR PRIMARY KEY,
    as_of       TIMESTAMPTZ NOT NULL,
    state       BLOB NOT NULL
);

-- Who is told what by HTTP. secret signs the messages.
CREATE TABLE webhooks (
    webhook_id  VARCHAR PRIMARY KEY,
    creditor_id VARCHAR NOT NULL DEFAULT '', -- empty: of all creditors
    url         VARCHAR NOT NULL,
    secret      VARCHAR NOT NULL,
    types       VARCHAR[] NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);

-- Messages until they are delivered: written with what they tell of, in one
-- transaction, and sent afterwards, so that no crash loses one. dead_at is set
-- where no attempt is left.
CREATE TABLE webhook_messages (
    message_id   VARCHAR NOT NULL,
    webhook_id   VARCHAR NOT NULL,
    creditor_id  VARCHAR NOT NULL DEFAULT '',
    debtor_id    VARCHAR NOT NULL DEFAULT '',
    type         VARCHAR NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    payload      VARCHAR NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    next_at      TIMESTAMPTZ NOT NULL,
    delivered_at TIMESTAMPTZ,
    dead_at      TIMESTAMPTZ,
    status       INTEGER NOT NULL DEFAULT 0, -- of the last answer; 0: none
    error        VARCHAR NOT NULL DEFAULT '',
    PRIMARY KEY (message_id, webhook_id)
);
