-- Audiences are frozen in pieces, so that nobody who signs up or leaves meanwhile waits for a million rows.

-- An issue whose ledger is being written, or taken away again after an undo: one row each, gone when that is done.
-- Until then issue.hold_until is NULL, so that nothing of it is claimed.
CREATE TABLE freezing (
    issue_id       BIGINT PRIMARY KEY REFERENCES issue (id),
    newsletter_id  BIGINT NOT NULL REFERENCES newsletter (id),
    thawing        BOOLEAN NOT NULL DEFAULT FALSE,
    -- Drawn anew by whoever goes on with it: two processes never write the same ledger, and a stopped one that wakes
    -- up changes nothing.
    epoch          BIGINT NOT NULL,
    -- The instant of publishing: who joins later is not in.
    frozen_at      BIGINT NOT NULL,
    hold_until     BIGINT NOT NULL,
    -- When readers of each zone are due (JSON, store/delivery/hours.rs); empty where all are due with the hold's end.
    plan           TEXT NOT NULL DEFAULT '',
    spread_ms      BIGINT NOT NULL DEFAULT 0,
    -- Every subscriber up to this one is done, and so many readers are written.
    after_id       BIGINT NOT NULL DEFAULT 0,
    readers        BIGINT NOT NULL DEFAULT 0
);
