-- The ledger's indexes, for speed. Every state change of a delivery rewrites its entry in each index that names the
-- state, so an index must earn that.

-- Sent is what is left when all other states are counted: one index entry less to write for every mail.
DROP INDEX delivery_done;
DROP INDEX delivery_troubled;
CREATE INDEX delivery_troubled ON delivery (issue_id, state) WHERE state IN ('failed', 'in_doubt', 'skipped');
-- What a reader was sent is found issue by issue, by the primary key.
DROP INDEX delivery_by_subscriber;

-- With the pause in it, the index alone says whether somebody may be mailed, at the freeze, the claim and the mark.
DROP INDEX subscription_by_status;
CREATE INDEX subscription_by_status ON subscription (newsletter_id, status, subscriber_id, paused_until);
