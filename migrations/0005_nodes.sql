-- Processes that serve this database, one row each. A node writes its heart-beat every second or two; a row whose
-- beats stand still is taken away by another node, with the leases of its claims, and its process then knows itself
-- dead. Claims name their node: bits 12 to 21 of delivery.epoch and letter.epoch are the seat (values/ids.rs).
CREATE TABLE node (
    id            BIGINT PRIMARY KEY,
    -- From 1 to 1023: what stands in the epochs of its claims.
    seat          BIGINT NOT NULL UNIQUE,
    -- The data folder's own name, drawn once: a process that starts there knows that the one before it is dead.
    place         TEXT NOT NULL,
    host          TEXT NOT NULL,
    pid           BIGINT NOT NULL,
    version       TEXT NOT NULL,
    -- "web send schedule", or some of them.
    roles         TEXT NOT NULL,
    started_at    BIGINT NOT NULL,
    heartbeat_at  BIGINT NOT NULL,
    -- Others watch this number and not the times: clocks of machines differ.
    beats         BIGINT NOT NULL DEFAULT 0,
    -- How far its clock is ahead of the database server's.
    skew_ms       BIGINT NOT NULL DEFAULT 0
);
