-- What is known of a mail that is in doubt, and what an issue goes out as.

-- The relay for which a delivery was last claimed.
ALTER TABLE delivery ADD COLUMN relay_id BIGINT;

-- The newsletter as it was when the issue was published (JSON of issue::newsletter::Masthead): who edits the sender
-- while mail leaves changes the next issue, not this one. Empty where the issue went out before this was kept.
ALTER TABLE rendering ADD COLUMN masthead TEXT NOT NULL DEFAULT '';
