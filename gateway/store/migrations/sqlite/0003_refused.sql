-- refused is 1 where the target refused this account in this group, put in or taken out: the others are carried without it. It
-- is tried again when somebody asks for it, or when something else is wanted of it.
ALTER TABLE roll ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
-- Whoever leaves a group goes before whoever comes.
CREATE INDEX roll_leaving ON roll (link) WHERE wanted IS NULL;
