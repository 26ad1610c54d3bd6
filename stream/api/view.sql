-- What the API keeps of the topics: everything here can be made again from them.
-- Outcomes are numbered as in the settings, bands 0 (very low) to 4 (very high), -1 where there is none.
-- offset and cursor of a decision: its place in the customer's home partition of touchpoints.

-- How far each output topic has been read; mark is a checksum of the last record, to notice another topic.
CREATE TABLE positions (
  topic TEXT, partition INTEGER, next INTEGER NOT NULL, mark INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- Where every customer is now: the band from the latest band change, the probability from the latest score.
CREATE TABLE bands (
  customer TEXT, outcome INTEGER,
  band INTEGER NOT NULL DEFAULT -1, came_from INTEGER NOT NULL DEFAULT -1, moved_ms INTEGER NOT NULL DEFAULT 0,
  moved_offset INTEGER NOT NULL DEFAULT -1, moved_cursor INTEGER NOT NULL DEFAULT -1,
  probability INTEGER NOT NULL, decided_ms INTEGER NOT NULL,
  offset INTEGER NOT NULL, cursor INTEGER NOT NULL,
  PRIMARY KEY (customer, outcome)
) WITHOUT ROWID;
CREATE INDEX bands_by_probability ON bands (outcome, band, probability DESC, customer);
CREATE INDEX bands_by_move ON bands (outcome, band, moved_ms DESC, customer);

-- Each customer's latest band changes. A repeated record is the same decision, so the same key. From stood_at
-- on: the log-odds at the outcome's band change before, and what has moved them since (all null for the first).
CREATE TABLE moves (
  customer TEXT, outcome INTEGER, offset INTEGER, cursor INTEGER,
  decided_ms INTEGER NOT NULL, came_from INTEGER NOT NULL, came_to INTEGER NOT NULL,
  probability INTEGER NOT NULL, previous INTEGER,
  event_id TEXT, event_type TEXT, basis TEXT NOT NULL, model_version INTEGER NOT NULL, id TEXT NOT NULL,
  stood_at INTEGER, by_events INTEGER, by_silence INTEGER, by_model INTEGER,
  PRIMARY KEY (customer, outcome, offset, cursor)
) WITHOUT ROWID;

-- The latest band changes of all, whole, in the order in which they came: what the live feed resumes from.
CREATE TABLE feed (seq INTEGER PRIMARY KEY, partition INTEGER NOT NULL, offset INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX feed_by_offset ON feed (partition, offset);
-- Up to which offset (included) the feed has been cut off.
CREATE TABLE floors (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL);

-- Each customer's latest scores, for the trend: per outcome, probability and band.
CREATE TABLE scores (
  customer TEXT, offset INTEGER, cursor INTEGER,
  decided_ms INTEGER NOT NULL, read_offset INTEGER NOT NULL, chances BLOB NOT NULL,
  PRIMARY KEY (customer, offset, cursor)
) WITHOUT ROWID;
