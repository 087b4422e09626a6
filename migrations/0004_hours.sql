-- When each reader's copy leaves: spread, quiet hours, the reader's own hour.

-- IANA name, as the database of zones writes it; empty where it is not known (then the newsletter's stands in).
ALTER TABLE subscriber ADD COLUMN zone TEXT NOT NULL DEFAULT '';
CREATE INDEX subscriber_by_zone ON subscriber (zone) WHERE zone <> '';

-- "local 09:00, passed at-once, spread 3h, quiet 22:00-07:00", each part only if it was said. What an issue says goes
-- before what its newsletter says.
ALTER TABLE newsletter ADD COLUMN hours TEXT NOT NULL DEFAULT '';
ALTER TABLE issue ADD COLUMN hours TEXT NOT NULL DEFAULT '';
