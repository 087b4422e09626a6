-- How readers come in: forms as rows, what they are asked, proof of consent, challenge, welcome.

-- What a newsletter asks its readers. A reader's answers are rows, so that rules can be put to them set-wise.
CREATE TABLE field (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    key            TEXT NOT NULL,
    label          TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('text', 'choice', 'date', 'number', 'yes_no')),
    -- One a line, for 'choice'.
    choices        TEXT NOT NULL DEFAULT '',
    required       BOOLEAN NOT NULL DEFAULT FALSE,
    place          BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, key)
);
CREATE TABLE topic (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    key            TEXT NOT NULL,
    label          TEXT NOT NULL,
    place          BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, key)
);
-- In one spelling each: dates as 2026-11-24, numbers without needless zeros, "yes" and "no".
CREATE TABLE answer (
    newsletter_id  BIGINT NOT NULL,
    subscriber_id  BIGINT NOT NULL,
    field          TEXT NOT NULL,
    value          TEXT NOT NULL,
    PRIMARY KEY (newsletter_id, subscriber_id, field)
);
CREATE INDEX answer_by_value ON answer (newsletter_id, field, value);
-- Topics a reader chose; none is all of them.
CREATE TABLE topic_choice (
    newsletter_id  BIGINT NOT NULL,
    subscriber_id  BIGINT NOT NULL,
    topic          TEXT NOT NULL,
    PRIMARY KEY (newsletter_id, subscriber_id, topic)
);
CREATE INDEX topic_choice_by_topic ON topic_choice (newsletter_id, topic);
-- 'each': every issue. 'monthly': one digest a month.
ALTER TABLE subscription ADD COLUMN frequency TEXT NOT NULL DEFAULT 'each' CHECK (frequency IN ('each', 'monthly'));
-- BCP 47 of the pages and letters a reader wants; empty: the newsletter's.
ALTER TABLE subscriber ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- A way in. Every newsletter has one called 'main', also without a row.
CREATE TABLE form (
    id             BIGINT PRIMARY KEY,
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    slug           TEXT NOT NULL,
    title          TEXT NOT NULL DEFAULT '',
    lead           TEXT NOT NULL DEFAULT '',
    -- How often it comes, in words; empty: from the slot.
    cadence        TEXT NOT NULL DEFAULT '',
    -- Empty: the newsletter's.
    consent_text   TEXT NOT NULL DEFAULT '',
    -- Counts up whenever what a reader sees of consent and questions changes.
    version        BIGINT NOT NULL DEFAULT 1,
    -- Keys of what is asked, by commas: name, topics, frequency, language, zone, and the newsletter's fields.
    asks           TEXT NOT NULL DEFAULT '',
    -- Why no confirmation is asked for; empty: it is.
    single_reason  TEXT NOT NULL DEFAULT '',
    -- Origins whose scripts may use the JSON address, one a line.
    origins        TEXT NOT NULL DEFAULT '',
    challenge      TEXT NOT NULL DEFAULT 'auto' CHECK (challenge IN ('auto', 'always', 'off')),
    is_open        BOOLEAN NOT NULL DEFAULT TRUE,
    created_at     BIGINT NOT NULL,
    UNIQUE (newsletter_id, slug)
);

-- Proof of consent: one line for each thing that was asked, answered or taken back. Lines are only ever added (and
-- taken away whole when a person is erased); `seal` is a keyed hash over the rest, so that a changed line shows.
CREATE TABLE consent (
    id             BIGINT PRIMARY KEY,
    at             BIGINT NOT NULL,
    newsletter_id  BIGINT NOT NULL,
    subscriber_id  BIGINT NOT NULL,
    act            TEXT NOT NULL CHECK (act IN ('asked', 'written', 'confirmed', 'single', 'disowned')),
    address        TEXT NOT NULL,
    form           TEXT NOT NULL DEFAULT '',
    version        BIGINT NOT NULL DEFAULT 0,
    wording        TEXT NOT NULL DEFAULT '',
    language       TEXT NOT NULL DEFAULT '',
    -- The page the form stood on.
    page           TEXT NOT NULL DEFAULT '',
    -- A /24 or /64, never a whole address.
    network        TEXT NOT NULL DEFAULT '',
    -- The letter that asked, and the SHA-256 of its bytes.
    letter_id      BIGINT,
    letter_hash    TEXT NOT NULL DEFAULT '',
    -- Why no confirmation was asked for.
    reason         TEXT NOT NULL DEFAULT '',
    seal           TEXT NOT NULL
);
CREATE INDEX consent_by_reader ON consent (subscriber_id, newsletter_id, id);

-- Sign-ups by the hour, to tell a spike from a good day.
CREATE TABLE tide (
    newsletter_id  BIGINT NOT NULL,
    hour           BIGINT NOT NULL,
    asked          BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, hour)
);
-- A spike, and until when sign-ups must do work for it.
CREATE TABLE spike (
    newsletter_id  BIGINT PRIMARY KEY,
    since          BIGINT NOT NULL,
    until          BIGINT NOT NULL,
    asked          BIGINT NOT NULL,
    usual          BIGINT NOT NULL
);

-- The welcome: one mail, or a short series, each so long after joining.
CREATE TABLE welcome (
    id             BIGINT PRIMARY KEY,
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    delay_ms       BIGINT NOT NULL,
    source         TEXT NOT NULL,
    is_on          BOOLEAN NOT NULL DEFAULT FALSE,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
CREATE INDEX welcome_by_newsletter ON welcome (newsletter_id, delay_ms, id);
-- Who is still to get which. The row goes when the letter lies in the out-tray.
CREATE TABLE welcome_due (
    welcome_id     BIGINT NOT NULL,
    subscriber_id  BIGINT NOT NULL,
    due_at         BIGINT NOT NULL,
    PRIMARY KEY (welcome_id, subscriber_id)
);
CREATE INDEX welcome_due_at ON welcome_due (due_at);
-- Once each, for ever: whoever leaves and comes back is not welcomed twice.
CREATE TABLE welcomed (
    welcome_id     BIGINT NOT NULL,
    subscriber_id  BIGINT NOT NULL,
    letter_id      BIGINT NOT NULL,
    at             BIGINT NOT NULL,
    PRIMARY KEY (welcome_id, subscriber_id)
);

-- The kinds of letters grow; the program knows them, and the column's CHECK goes with the old column.
ALTER TABLE letter ADD COLUMN word TEXT NOT NULL DEFAULT '';
UPDATE letter SET word = kind;
ALTER TABLE letter DROP COLUMN kind;
ALTER TABLE letter RENAME COLUMN word TO kind;
