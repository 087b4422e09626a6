-- What became of an issue's tries since it began to go out, or went on after a pause: the sum of all processes, so that
-- one node's answers count for the others, and a restart forgets nothing. Gone when somebody resumes it.
CREATE TABLE breaker (
    issue_id  BIGINT PRIMARY KEY REFERENCES issue (id),
    -- Complaints before this are of an earlier round.
    began_at  BIGINT NOT NULL,
    answers   BIGINT NOT NULL,
    sent      BIGINT NOT NULL,
    hard      BIGINT NOT NULL,
    content   BIGINT NOT NULL,
    ours      BIGINT NOT NULL,
    sender    BIGINT NOT NULL,
    same      BIGINT NOT NULL
);
