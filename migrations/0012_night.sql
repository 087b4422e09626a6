-- Quiet hours hold for what is late, too.

-- The quiet hours an issue was published with: "22:00-07:00 Europe/Lisbon", with " own" where each reader's own clock
-- counts and that zone stands in for those who gave none. Empty: none.
ALTER TABLE rendering ADD COLUMN night TEXT NOT NULL DEFAULT '';
