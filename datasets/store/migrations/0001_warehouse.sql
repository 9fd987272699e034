-- The warehouse: what is and what happened. creditor_id is first in every key;
-- moments are TIMESTAMPTZ in UTC, days are DATE in the debtor's zone, money is
-- DECIMAL(18,2). Rows about a state that may change (debtors, debtor_channels)
-- are appended with the moment they were observed, so that a question as of an
-- earlier moment is answered with what was known then.

CREATE TABLE creditors (
    creditor_id    VARCHAR PRIMARY KEY,
    name           VARCHAR NOT NULL DEFAULT '',
    country        VARCHAR NOT NULL DEFAULT 'BE',
    timezone       VARCHAR NOT NULL DEFAULT 'Europe/Brussels',
    currency       VARCHAR NOT NULL DEFAULT 'EUR',
    autonomy       VARCHAR NOT NULL DEFAULT 'auto',
    approval_above DECIMAL(18,2) NOT NULL DEFAULT 0,
    control_share  DOUBLE NOT NULL DEFAULT 0,
    policy_pack    VARCHAR NOT NULL DEFAULT 'open',
    settings       VARCHAR NOT NULL DEFAULT '{}' -- JSON
);

CREATE TABLE debtors (
    creditor_id VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    kind        VARCHAR NOT NULL,
    language    VARCHAR NOT NULL DEFAULT '',
    timezone    VARCHAR NOT NULL DEFAULT '',
    country     VARCHAR NOT NULL DEFAULT '',
    postcode    VARCHAR NOT NULL DEFAULT '',
    sector_code VARCHAR NOT NULL DEFAULT '',
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (creditor_id, debtor_id, observed_at)
);

-- NULL in reachable, consent or opted_out: this row says nothing of it and the
-- earlier word stands; the state at a moment is the latest non-NULL of each.
CREATE TABLE debtor_channels (
    creditor_id VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    channel     VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    reachable   BOOLEAN,
    consent     BOOLEAN,
    opted_out   BOOLEAN,
    PRIMARY KEY (creditor_id, debtor_id, channel, observed_at)
);

-- observed_at is when the invoice became known (the time of its event), the
-- guard of a question as of an earlier moment; all of observed_at, issued_at,
-- due_on, amount and currency are NULL where only a cancellation is known.
CREATE TABLE invoices (
    creditor_id  VARCHAR NOT NULL,
    invoice_id   VARCHAR NOT NULL,
    debtor_id    VARCHAR NOT NULL,
    observed_at  TIMESTAMPTZ,
    issued_at    TIMESTAMPTZ,
    due_on       DATE,
    amount       DECIMAL(18,2),
    currency     VARCHAR,
    cancelled_at TIMESTAMPTZ,
    PRIMARY KEY (creditor_id, invoice_id)
);

CREATE TABLE payments (
    creditor_id VARCHAR NOT NULL,
    payment_id  VARCHAR NOT NULL,
    invoice_id  VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    paid_at     TIMESTAMPTZ NOT NULL,
    amount      DECIMAL(18,2) NOT NULL,
    method      VARCHAR NOT NULL DEFAULT '',
    PRIMARY KEY (creditor_id, payment_id)
);

CREATE TABLE contacts (
    creditor_id VARCHAR NOT NULL,
    contact_id  VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    decision_id VARCHAR,
    channel     VARCHAR NOT NULL,
    tone        VARCHAR NOT NULL DEFAULT 'friendly',
    sent_at     TIMESTAMPTZ NOT NULL,
    cost        DECIMAL(18,2) NOT NULL DEFAULT 0,
    invoice_ids VARCHAR[] NOT NULL DEFAULT [],
    PRIMARY KEY (creditor_id, contact_id)
);

CREATE TABLE engagements (
    creditor_id VARCHAR NOT NULL,
    event_id    VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    contact_id  VARCHAR,
    invoice_id  VARCHAR,
    channel     VARCHAR,
    kind        VARCHAR NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    precision   VARCHAR NOT NULL DEFAULT 'second',
    is_machine  BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY (creditor_id, event_id)
);

-- opened_at is NULL where only the closing is known.
CREATE TABLE cases (
    creditor_id VARCHAR NOT NULL,
    case_id     VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    invoice_id  VARCHAR,
    kind        VARCHAR,
    opened_at   TIMESTAMPTZ,
    expires_on  DATE,
    closed_at   TIMESTAMPTZ,
    outcome     VARCHAR,
    PRIMARY KEY (creditor_id, case_id)
);

CREATE TABLE ratings (
    creditor_id VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    provider    VARCHAR NOT NULL,
    score       DOUBLE NOT NULL,
    PRIMARY KEY (creditor_id, debtor_id, provider, observed_at)
);

-- The log of accepted events: idempotency by id, and the audit trail. arrival
-- counts events in the order in which they were accepted.
CREATE TABLE events (
    creditor_id VARCHAR NOT NULL,
    event_id    VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    type        VARCHAR NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    arrival     BIGINT NOT NULL,
    PRIMARY KEY (creditor_id, event_id)
);

-- Shared signals: known_at guards against knowing the weather beforehand.
CREATE TABLE weather (
    region           VARCHAR NOT NULL,
    hour             TIMESTAMPTZ NOT NULL,
    known_at         TIMESTAMPTZ NOT NULL,
    observed         BOOLEAN NOT NULL,
    temperature_c    DOUBLE,
    precipitation_mm DOUBLE,
    sunshine_min     DOUBLE,
    PRIMARY KEY (region, hour, known_at)
);

CREATE TABLE sector_signals (
    sector_code VARCHAR NOT NULL,
    region      VARCHAR NOT NULL DEFAULT '',
    period      DATE NOT NULL,
    indicator   VARCHAR NOT NULL,
    known_at    TIMESTAMPTZ NOT NULL,
    value       DOUBLE NOT NULL,
    PRIMARY KEY (sector_code, region, period, indicator, known_at)
);

-- Reference lists: sector names, and where a postcode lies.
CREATE TABLE sectors (
    sector_code VARCHAR PRIMARY KEY,
    name_nl VARCHAR, name_fr VARCHAR, name_en VARCHAR
);

CREATE TABLE postcodes (
    country   VARCHAR NOT NULL,
    postcode  VARCHAR NOT NULL,
    region    VARCHAR NOT NULL DEFAULT '',
    latitude  DOUBLE,
    longitude DOUBLE,
    PRIMARY KEY (country, postcode)
);

-- Public holidays by country, and the days a tenant adds by hand.
CREATE TABLE holidays (
    country VARCHAR NOT NULL,
    day     DATE NOT NULL,
    name    VARCHAR NOT NULL DEFAULT '',
    PRIMARY KEY (country, day)
);

CREATE TABLE decisions (
    creditor_id     VARCHAR NOT NULL,
    decision_id     VARCHAR NOT NULL,
    debtor_id       VARCHAR NOT NULL,
    decided_at      TIMESTAMPTZ NOT NULL,
    arm             VARCHAR NOT NULL,
    action          VARCHAR NOT NULL,
    channel         VARCHAR,
    send_at         TIMESTAMPTZ,
    tone            VARCHAR,
    propensity      DOUBLE NOT NULL,
    model_id        VARCHAR NOT NULL,
    status          VARCHAR NOT NULL,
    idempotency_key VARCHAR,
    answer          BLOB NOT NULL,
    candidates      BLOB,
    vector          DOUBLE[] NOT NULL DEFAULT [],
    baseline        DOUBLE NOT NULL DEFAULT 0,
    PRIMARY KEY (creditor_id, decision_id)
);

CREATE TABLE reviews (
    creditor_id VARCHAR NOT NULL,
    decision_id VARCHAR NOT NULL,
    reviewed_at TIMESTAMPTZ NOT NULL,
    verdict     VARCHAR NOT NULL,
    channel     VARCHAR,
    send_at     TIMESTAMPTZ,
    note        VARCHAR NOT NULL DEFAULT '',
    actor       VARCHAR NOT NULL DEFAULT ''
);

CREATE TABLE rewards (
    creditor_id    VARCHAR NOT NULL,
    decision_id    VARCHAR NOT NULL,
    matured_at     TIMESTAMPTZ,
    reward         DOUBLE NOT NULL,
    imputed        BOOLEAN NOT NULL,
    observed_until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (creditor_id, decision_id)
);

-- What had been learnt as of a moment: answers as of an earlier time, and the
-- same answers after a restart.
CREATE TABLE learned_states (
    creditor_id VARCHAR NOT NULL,
    as_of       TIMESTAMPTZ NOT NULL,
    model_id    VARCHAR NOT NULL,
    state       BLOB NOT NULL,
    PRIMARY KEY (creditor_id, as_of)
);

CREATE TABLE models (
    model_id      VARCHAR PRIMARY KEY,
    path          VARCHAR NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL,
    promoted_at   TIMESTAMPTZ,
    status        VARCHAR NOT NULL
);

CREATE TABLE api_keys (
    key_id      VARCHAR PRIMARY KEY,
    hash        BLOB NOT NULL,
    creditor_id VARCHAR NOT NULL DEFAULT '',
    scopes      VARCHAR[] NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    revoked_at  TIMESTAMPTZ
);

CREATE TABLE audit_log (
    occurred_at TIMESTAMPTZ NOT NULL,
    creditor_id VARCHAR NOT NULL DEFAULT '',
    actor       VARCHAR NOT NULL,
    action      VARCHAR NOT NULL,
    object      VARCHAR NOT NULL,
    detail      VARCHAR NOT NULL DEFAULT ''
);
