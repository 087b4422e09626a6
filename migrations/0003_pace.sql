-- How fast mail leaves: limits of relays, several relays for one newsletter, warm-up.

-- NULL: no such limit. connections_max 0: their number is found by trying.
ALTER TABLE relay ADD COLUMN messages_per_connection BIGINT;
ALTER TABLE relay ADD COLUMN per_second BIGINT;
ALTER TABLE relay ADD COLUMN per_minute BIGINT;
ALTER TABLE relay ADD COLUMN per_hour BIGINT;
ALTER TABLE relay ADD COLUMN per_day BIGINT;
-- Messages that may be on the wire unanswered at once: so many readers are in doubt at most if this machine dies.
ALTER TABLE relay ADD COLUMN in_doubt_max BIGINT NOT NULL DEFAULT 64;
-- Whether the table of receiving sites counts behind it.
ALTER TABLE relay ADD COLUMN per_site BOOLEAN NOT NULL DEFAULT FALSE;

-- The relays of a newsletter. Mail is shared by weight; weight 0 is a spare, used in the order of `place` when all
-- others rest. newsletter.relay_id is the first of them.
CREATE TABLE newsletter_relay (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    relay_id       BIGINT NOT NULL REFERENCES relay (id),
    weight         BIGINT NOT NULL,
    place          BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, relay_id)
);
CREATE INDEX newsletter_relay_by_relay ON newsletter_relay (relay_id);
INSERT INTO newsletter_relay (newsletter_id, relay_id, weight, place)
    SELECT id, relay_id, 1, 0 FROM newsletter WHERE relay_id IS NOT NULL;

-- What was used of limits, and how slow a relay is treated: JSON of delivery::pace, one row for "relay/ID" and one for
-- "relay/ID/sites". Every node takes from the same row, so a limit holds for their sum.
CREATE TABLE pace (
    what        TEXT PRIMARY KEY,
    state       TEXT NOT NULL,
    changed_at  BIGINT NOT NULL
);

-- Senders' domains that are being warmed up.
CREATE TABLE warm_up (
    domain      TEXT PRIMARY KEY,
    started_at  BIGINT NOT NULL
);

-- What each of its days holds for each receiving site: planned when an issue is published. `day` counts from 1970.
CREATE TABLE warm_up_day (
    domain  TEXT NOT NULL,
    site    TEXT NOT NULL,
    day     BIGINT NOT NULL,
    many    BIGINT NOT NULL,
    -- The site asked for less on this day: the next one does not grow.
    held    BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (domain, site, day)
);
