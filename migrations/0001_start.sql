-- The first schema. One dialect for SQLite and Postgres: TEXT, BIGINT, BOOLEAN, BYTEA (which SQLite keeps as a blob),
-- unix milliseconds in *_at, ids made in Rust.

-- Settings that belong to the installation and not to a newsletter: one row a name.
CREATE TABLE setting (
    name        TEXT PRIMARY KEY,
    value       TEXT NOT NULL,
    changed_at  BIGINT NOT NULL
);

-- Keys: tokens ("token"), DKIM ("dkim"). The newest of a purpose is in use, all of them open what they made.
CREATE TABLE secret (
    purpose     TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    domain      TEXT NOT NULL DEFAULT '',
    value       TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (purpose, domain, key_id)
);

CREATE TABLE relay (
    id               BIGINT PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    host             TEXT NOT NULL,
    port             BIGINT NOT NULL,
    tls              TEXT NOT NULL CHECK (tls IN ('none', 'starttls', 'implicit')),
    username         TEXT,
    password         TEXT,
    connections_max  BIGINT NOT NULL,
    -- Set while faults of ours (connect, TLS, AUTH, MAIL FROM) keep it from taking mail; the reason is the reply.
    paused_until     BIGINT,
    paused_reason    TEXT,
    faults           BIGINT NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL
);

CREATE TABLE newsletter (
    id               BIGINT PRIMARY KEY,
    slug             TEXT NOT NULL UNIQUE,
    name             TEXT NOT NULL,
    tagline          TEXT NOT NULL DEFAULT '',
    from_name        TEXT NOT NULL,
    from_address     TEXT NOT NULL,
    reply_to         TEXT,
    postal_address   TEXT NOT NULL,
    language         TEXT NOT NULL,
    zone             TEXT NOT NULL,
    accent           TEXT NOT NULL,
    accent_dark      TEXT NOT NULL,
    logo             TEXT,
    -- Stable for ever (RFC 2919 §6): does not follow a change of name or host.
    list_id          TEXT NOT NULL,
    consent_text     TEXT NOT NULL,
    -- Weekly slot: cron with named weekdays, on the wall clock of `zone`.
    slot             TEXT,
    -- When the slot was set: what it would have fired before is no miss.
    slot_set_at      BIGINT,
    max_lateness_ms  BIGINT NOT NULL,
    relay_id         BIGINT REFERENCES relay (id),
    created_at       BIGINT NOT NULL
);

CREATE TABLE subscriber (
    id           BIGINT PRIMARY KEY,
    address      TEXT NOT NULL,
    -- Address in the form in which two spellings of one mailbox are equal (values/address.rs).
    address_key  TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL
);

CREATE TABLE subscription (
    newsletter_id   BIGINT NOT NULL REFERENCES newsletter (id),
    subscriber_id   BIGINT NOT NULL REFERENCES subscriber (id),
    status          TEXT NOT NULL CHECK (status IN ('pending', 'active', 'unsubscribed', 'bounced', 'complained')),
    consent_text    TEXT NOT NULL,
    -- Where consent was given: a form's address, an import's words, an editor's name.
    consent_source  TEXT NOT NULL,
    consent_ip      TEXT NOT NULL DEFAULT '',
    consent_at      BIGINT NOT NULL,
    confirmed_at    BIGINT,
    paused_until    BIGINT,
    left_at         BIGINT,
    left_how        TEXT,
    left_issue_id   BIGINT,
    PRIMARY KEY (newsletter_id, subscriber_id)
);
CREATE INDEX subscription_by_subscriber ON subscription (subscriber_id);
CREATE INDEX subscription_by_status ON subscription (newsletter_id, status, subscriber_id);

CREATE TABLE suppression (
    address_key  TEXT PRIMARY KEY,
    reason       TEXT NOT NULL CHECK (reason IN ('bounce', 'complaint', 'manual', 'not_me', 'import')),
    source       TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE issue (
    id             BIGINT PRIMARY KEY,
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    number         BIGINT,
    slug           TEXT NOT NULL,
    subject        TEXT NOT NULL,
    preheader      TEXT NOT NULL DEFAULT '',
    -- draft: being written. ready: takes the next slot. scheduled: has a time (scheduled_at). held: too late, a person
    -- must say go. sending: published, the ledger has its rows (hold_until: undo until then). paused. sent: no row is
    -- unfinished. cancelled: the rest was skipped.
    state          TEXT NOT NULL CHECK (state IN
                   ('draft', 'ready', 'scheduled', 'held', 'sending', 'paused', 'sent', 'cancelled')),
    state_reason   TEXT NOT NULL DEFAULT '',
    source         TEXT NOT NULL,
    revision       BIGINT NOT NULL,
    -- Wall time and zone as the editor gave them; scheduled_at is the instant they mean.
    scheduled_wall TEXT,
    scheduled_zone TEXT,
    scheduled_at   BIGINT,
    hold_until     BIGINT,
    published_at   BIGINT,
    finished_at    BIGINT,
    audience       BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    UNIQUE (newsletter_id, slug)
);
CREATE INDEX issue_by_state ON issue (state, scheduled_at);

-- What publish froze: the prepared message every reader's is spliced from, and the web page. JSON of
-- `issue::Rendered`.
CREATE TABLE rendering (
    issue_id    BIGINT PRIMARY KEY REFERENCES issue (id),
    hash        TEXT NOT NULL,
    rendered    TEXT NOT NULL,
    -- The Date of every message, fixed before the first attempt (unix milliseconds).
    message_at  BIGINT NOT NULL
);

-- Pictures, by the hash of their bytes; served from /m/NAME for ever.
CREATE TABLE media (
    name          TEXT PRIMARY KEY,
    content_type  TEXT NOT NULL,
    width         BIGINT NOT NULL,
    height        BIGINT NOT NULL,
    bytes         BYTEA NOT NULL,
    created_at    BIGINT NOT NULL
);

-- Which pictures an issue names, so that its Markdown goes on saying "cover.jpg": reference as written, media as stored.
CREATE TABLE issue_media (
    issue_id   BIGINT NOT NULL REFERENCES issue (id),
    reference  TEXT NOT NULL,
    name       TEXT NOT NULL REFERENCES media (name),
    PRIMARY KEY (issue_id, reference)
);

-- The ledger: one row for every reader of every issue, and on it what happened.
CREATE TABLE delivery (
    issue_id       BIGINT NOT NULL REFERENCES issue (id),
    subscriber_id  BIGINT NOT NULL,
    address        TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN
                   ('pending', 'claimed', 'inflight', 'sent', 'failed', 'skipped', 'in_doubt')),
    attempts       BIGINT NOT NULL DEFAULT 0,
    -- pending: not before. claimed, inflight: the lease ends.
    next_at        BIGINT NOT NULL,
    epoch          BIGINT NOT NULL DEFAULT 0,
    first_at       BIGINT,
    settled_at     BIGINT,
    -- Of the last attempt: the stage that answered, its code, its text; why the row stands as it does.
    stage          TEXT,
    reply_code     BIGINT,
    reply_text     TEXT,
    reason         TEXT,
    PRIMARY KEY (issue_id, subscriber_id)
);
-- Four partial indexes that together hold every row once: claims, recovery, problems, and counts that touch no row.
CREATE INDEX delivery_due ON delivery (issue_id, next_at) WHERE state = 'pending';
CREATE INDEX delivery_leased ON delivery (issue_id, state, next_at) WHERE state IN ('claimed', 'inflight');
CREATE INDEX delivery_troubled ON delivery (issue_id, state) WHERE state IN ('failed', 'in_doubt');
CREATE INDEX delivery_done ON delivery (issue_id, state) WHERE state IN ('sent', 'skipped');
CREATE INDEX delivery_by_subscriber ON delivery (subscriber_id);

-- Every try that was not answered with 2xx at once; the answer that ended a delivery is on its row.
CREATE TABLE attempt (
    id             BIGINT PRIMARY KEY,
    issue_id       BIGINT NOT NULL,
    subscriber_id  BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    stage          TEXT NOT NULL,
    reply_code     BIGINT,
    reply_text     TEXT NOT NULL,
    outcome        TEXT NOT NULL
);
CREATE INDEX attempt_by_delivery ON attempt (issue_id, subscriber_id);
CREATE INDEX attempt_by_issue ON attempt (issue_id, id);

-- Mail of the house to one person (confirmation, notice, test), with the ledger's states.
CREATE TABLE letter (
    id             BIGINT PRIMARY KEY,
    kind           TEXT NOT NULL CHECK (kind IN ('confirm', 'notice', 'test')),
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    subscriber_id  BIGINT,
    address        TEXT NOT NULL,
    return_path    TEXT NOT NULL,
    message        BYTEA NOT NULL,
    state          TEXT NOT NULL CHECK (state IN
                   ('pending', 'claimed', 'inflight', 'sent', 'failed', 'skipped', 'in_doubt')),
    attempts       BIGINT NOT NULL DEFAULT 0,
    next_at        BIGINT NOT NULL,
    epoch          BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL,
    settled_at     BIGINT,
    stage          TEXT,
    reply_code     BIGINT,
    reply_text     TEXT,
    reason         TEXT
);
CREATE INDEX letter_due ON letter (next_at) WHERE state IN ('pending', 'claimed', 'inflight');

-- One firing of a newsletter's schedule. UNIQUE: any number of schedulers fire it once.
CREATE TABLE slot (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    -- Wall time in the newsletter's zone, "2026-11-29T09:00".
    wall           TEXT NOT NULL,
    due_at         BIGINT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('fired', 'missed', 'held')),
    issue_id       BIGINT,
    decided_at     BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, wall)
);

-- What the editor was told about a coming slot, once each: '24h', '2h'.
CREATE TABLE slot_notice (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    wall           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    told_at        BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, wall, kind)
);

-- Append-only history of persons and issues. `detail` is JSON in the event's own shape.
CREATE TABLE event (
    id             BIGINT PRIMARY KEY,
    at             BIGINT NOT NULL,
    kind           TEXT NOT NULL,
    newsletter_id  BIGINT,
    subscriber_id  BIGINT,
    issue_id       BIGINT,
    account_id     BIGINT,
    detail         TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX event_by_subscriber ON event (subscriber_id, id) WHERE subscriber_id IS NOT NULL;
CREATE INDEX event_by_issue ON event (issue_id, id) WHERE issue_id IS NOT NULL;

-- How often something was done lately; `bucket` is a keyed hash (of an address, of an IP), never the thing itself.
CREATE TABLE allowance (
    bucket       TEXT PRIMARY KEY,
    started_at   BIGINT NOT NULL,
    used         BIGINT NOT NULL
);

CREATE TABLE account (
    id             BIGINT PRIMARY KEY,
    email          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('owner', 'editor')),
    password_hash  TEXT NOT NULL,
    theme          TEXT NOT NULL DEFAULT 'auto' CHECK (theme IN ('auto', 'light', 'dark')),
    created_at     BIGINT NOT NULL
);

CREATE TABLE session (
    token_hash    TEXT PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES account (id),
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    ip            TEXT NOT NULL,
    agent         TEXT NOT NULL
);

-- Files between the dry run of an import and its button.
CREATE TABLE upload (
    id             BIGINT PRIMARY KEY,
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    account_id     BIGINT NOT NULL REFERENCES account (id),
    name           TEXT NOT NULL,
    bytes          BYTEA NOT NULL,
    created_at     BIGINT NOT NULL
);

-- The one-time link that makes the first account.
CREATE TABLE setup_link (
    token_hash  TEXT PRIMARY KEY,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);

-- The catcher's mails (demo and development only).
CREATE TABLE caught (
    id           BIGINT PRIMARY KEY,
    at           BIGINT NOT NULL,
    mail_from    TEXT NOT NULL,
    rcpt_to      TEXT NOT NULL,
    from_header  TEXT NOT NULL,
    to_header    TEXT NOT NULL,
    subject      TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    snippet      TEXT NOT NULL,
    size         BIGINT NOT NULL,
    is_read      BOOLEAN NOT NULL DEFAULT FALSE,
    -- What a search looks through: sender, receivers, subject, text, in lower case (store/caught.rs).
    words        TEXT NOT NULL,
    raw          BYTEA NOT NULL
);
