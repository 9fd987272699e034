-- Plans, models on trial, evaluations that a promotion rests on, and jobs.

-- summary is what was planned and at which prices, as JSON.
CREATE TABLE plans (
    creditor_id VARCHAR NOT NULL,
    plan_id     VARCHAR NOT NULL,
    made_at     TIMESTAMPTZ NOT NULL,
    day         DATE NOT NULL,
    summary     VARCHAR NOT NULL,
    PRIMARY KEY (creditor_id, plan_id)
);

-- The decisions of a plan, in the order in which they were drawn.
CREATE TABLE plan_actions (
    creditor_id VARCHAR NOT NULL,
    plan_id     VARCHAR NOT NULL,
    place       BIGINT NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    decision_id VARCHAR NOT NULL,
    value       DOUBLE NOT NULL
);

-- What a model on trial would have decided beside the champion: decision_id is
-- the champion's, target the probability with which the model on trial would
-- have taken just that. Nothing of it is ever sent, counted or learnt from.
CREATE TABLE shadow_decisions (
    creditor_id VARCHAR NOT NULL,
    decision_id VARCHAR NOT NULL,
    debtor_id   VARCHAR NOT NULL,
    model_id    VARCHAR NOT NULL,
    decided_at  TIMESTAMPTZ NOT NULL,
    action      VARCHAR NOT NULL,
    channel     VARCHAR,
    send_at     TIMESTAMPTZ,
    tone        VARCHAR,
    propensity  DOUBLE NOT NULL,
    target      DOUBLE NOT NULL,
    value       DOUBLE NOT NULL,
    status      VARCHAR NOT NULL DEFAULT 'shadow',
    PRIMARY KEY (creditor_id, decision_id, model_id)
);

-- What a registered model would have earned on the log; report is JSON.
CREATE TABLE evaluations (
    model_id     VARCHAR NOT NULL,
    evaluated_at TIMESTAMPTZ NOT NULL,
    report       VARCHAR NOT NULL
);

-- Work that outlasts the request that asked for it.
CREATE TABLE jobs (
    job_id      VARCHAR PRIMARY KEY,
    creditor_id VARCHAR NOT NULL DEFAULT '',
    kind        VARCHAR NOT NULL,
    status      VARCHAR NOT NULL, -- running, done, failed
    created_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    result      VARCHAR, -- JSON
    error       VARCHAR
);
