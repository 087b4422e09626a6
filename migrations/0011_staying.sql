-- What readers choose for themselves, and what they say of an issue.

-- With how often a reader wants it in it, the index alone says who is in an issue's audience.
DROP INDEX subscription_by_status;
CREATE INDEX subscription_by_status
    ON subscription (newsletter_id, status, subscriber_id, paused_until, frequency);

-- 'issue', or 'digest': a month's issues in one mail, for those who asked for it, and in no archive.
ALTER TABLE issue ADD COLUMN kind TEXT NOT NULL DEFAULT 'issue';

-- One month of a newsletter's digest. UNIQUE: any number of schedulers make it once.
CREATE TABLE digest (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    -- The month whose issues it holds: "2026-11".
    month          TEXT NOT NULL,
    -- NULL: there was nothing to send, or nobody to send it to.
    issue_id       BIGINT REFERENCES issue (id),
    decided_at     BIGINT NOT NULL,
    PRIMARY KEY (newsletter_id, month)
);

-- "More like this", "less": one word a reader and issue, under a keyed hash of both and no name.
CREATE TABLE rating (
    issue_id  BIGINT NOT NULL REFERENCES issue (id),
    voice     TEXT NOT NULL,
    likes     BOOLEAN NOT NULL,
    PRIMARY KEY (issue_id, voice)
);

-- An address that waits for its owner's yes; one at a time for each reader.
CREATE TABLE address_change (
    subscriber_id  BIGINT PRIMARY KEY REFERENCES subscriber (id),
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    address        TEXT NOT NULL,
    -- Stands in the link too, so that an older link is over.
    asked_at       BIGINT NOT NULL
);

-- Who was sent here by a reader's own link; `friend` and `network` are keyed hashes.
CREATE TABLE referral (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    friend         TEXT NOT NULL,
    by_id          BIGINT NOT NULL,
    network        TEXT NOT NULL,
    came_at        BIGINT NOT NULL,
    -- Once confirmed: who it is, and why it does not count ('' if it does).
    friend_id      BIGINT,
    refused        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (newsletter_id, friend)
);
CREATE INDEX referral_by_reader ON referral (newsletter_id, by_id);

-- What the newsletter thanks a reader for: so many friends, and with what.
CREATE TABLE milestone (
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    friends        BIGINT NOT NULL,
    thanks         TEXT NOT NULL,
    PRIMARY KEY (newsletter_id, friends)
);
