import type { SchemaPackage } from '@org/db-core'

/** How many partitions the keys of a feed are spread over; at most so many processes share one consumer. */
export const partitionCount = 16

/** How many numbers the table partition that the installation makes can take; later ones are made ahead of need. */
const firstPartitionRows = 1_000_000

const tables = `
CREATE SEQUENCE orgdb.outbox_seq AS bigint CACHE 1;

-- A number is taken under the table's lock, which readers use to tell a rolled back number from a late one.
CREATE TABLE orgdb.outbox (
  seq bigint NOT NULL DEFAULT nextval('orgdb.outbox_seq') PRIMARY KEY,
  part smallint GENERATED ALWAYS AS ((hashtext(key) & ${partitionCount - 1})::smallint) STORED,
  topic text NOT NULL,
  key text NOT NULL,
  op text NOT NULL CHECK (op IN ('e', 'c', 'u', 'd')),
  version smallint NOT NULL DEFAULT 1,
  payload jsonb,
  before jsonb,
  headers jsonb,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (seq);
-- The net under the partitions that are made ahead: a business transaction never fails for lack of one.
CREATE TABLE orgdb.outbox_default PARTITION OF orgdb.outbox DEFAULT;
CREATE TABLE orgdb.outbox_p1 PARTITION OF orgdb.outbox FOR VALUES FROM (1) TO (${firstPartitionRows + 1});

CREATE TABLE orgdb.outbox_feed (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  epoch integer NOT NULL DEFAULT 1,
  settled bigint NOT NULL DEFAULT 0
);
INSERT INTO orgdb.outbox_feed DEFAULT VALUES;

CREATE TABLE orgdb.outbox_consumer (
  name text PRIMARY KEY,
  paused boolean NOT NULL DEFAULT false,
  paused_reason text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE orgdb.outbox_member (
  consumer text NOT NULL REFERENCES orgdb.outbox_consumer ON DELETE CASCADE,
  id text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (consumer, id)
);
CREATE TABLE orgdb.outbox_lease (
  consumer text NOT NULL REFERENCES orgdb.outbox_consumer ON DELETE CASCADE,
  part smallint NOT NULL,
  owner text,
  token bigint NOT NULL DEFAULT 0,
  position bigint NOT NULL DEFAULT 0,
  crashes integer NOT NULL DEFAULT 0,
  suspect bigint,
  started integer NOT NULL DEFAULT 0,
  PRIMARY KEY (consumer, part)
) WITH (fillfactor = 50);

CREATE SEQUENCE orgdb.outbox_job_seq;
CREATE TABLE orgdb.outbox_parked (
  consumer text NOT NULL REFERENCES orgdb.outbox_consumer ON DELETE CASCADE,
  -- Of the event; negative for what a replay or backfill could not deliver, whose position is in at_seq.
  seq bigint NOT NULL,
  at_seq bigint NOT NULL,
  part smallint NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  op text NOT NULL,
  version smallint NOT NULL,
  payload jsonb,
  before jsonb,
  headers jsonb,
  at timestamptz NOT NULL,
  origin text NOT NULL DEFAULT 'live',
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'dead', 'skip')),
  started integer NOT NULL DEFAULT 0,
  finished integer NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text,
  parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, seq)
);
CREATE INDEX outbox_parked_key ON orgdb.outbox_parked (consumer, part, key, seq);

CREATE TABLE orgdb.outbox_job (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer text NOT NULL REFERENCES orgdb.outbox_consumer ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('replay', 'backfill')),
  spec jsonb NOT NULL,
  progress jsonb,
  since bigint NOT NULL,
  done bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  total bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled')),
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE orgdb.outbox_inbox (
  scope text NOT NULL,
  id text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (scope, id)
);
CREATE INDEX outbox_inbox_at ON orgdb.outbox_inbox (at);
`

/** Renews a membership, buries dead members, and gives the member its share of what is free, all at once. */
const balance = `
CREATE FUNCTION orgdb.outbox_balance(p_consumer text, p_member text, p_lease_ms double precision)
RETURNS TABLE (part smallint, token bigint, "position" bigint, crashes integer,
               share integer, next_ms double precision, paused boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz;
  v_gone text[];
  v_members integer;
  v_rank integer;
  v_share integer;
  v_mine integer;
  v_next double precision;
  v_paused boolean;
BEGIN
  SELECT c.paused INTO v_paused FROM orgdb.outbox_consumer c WHERE c.name = p_consumer FOR UPDATE;
  v_now := clock_timestamp();
  WITH gone AS (
    DELETE FROM orgdb.outbox_member m
    WHERE m.consumer = p_consumer AND m.id <> p_member AND m.expires_at < v_now RETURNING m.id
  ) SELECT array_agg(gone.id) INTO v_gone FROM gone;
  IF v_gone IS NOT NULL THEN
    UPDATE orgdb.outbox_lease l SET owner = NULL, crashes = l.crashes + 1
    WHERE l.consumer = p_consumer AND l.owner = ANY (v_gone);
  END IF;
  INSERT INTO orgdb.outbox_member AS m (consumer, id, expires_at)
  VALUES (p_consumer, p_member, v_now + p_lease_ms * interval '1 millisecond')
  ON CONFLICT (consumer, id) DO UPDATE SET expires_at = excluded.expires_at;
  SELECT count(*), count(*) FILTER (WHERE m.id < p_member),
         extract(epoch FROM min(m.expires_at) FILTER (WHERE m.id <> p_member) - v_now) * 1000
  INTO v_members, v_rank, v_next FROM orgdb.outbox_member m WHERE m.consumer = p_consumer;
  v_share := ${partitionCount} / v_members + CASE WHEN v_rank < ${partitionCount} % v_members THEN 1 ELSE 0 END;
  SELECT count(*) INTO v_mine FROM orgdb.outbox_lease l WHERE l.consumer = p_consumer AND l.owner = p_member;
  IF v_mine < v_share THEN
    UPDATE orgdb.outbox_lease l SET owner = p_member, token = l.token + 1
    WHERE l.consumer = p_consumer AND l.part IN (
      SELECT f.part FROM orgdb.outbox_lease f WHERE f.consumer = p_consumer AND f.owner IS NULL
      ORDER BY f.part LIMIT v_share - v_mine);
  END IF;
  RETURN QUERY
    SELECT l.part, l.token, l.position, l.crashes, v_share, v_next, v_paused
    FROM (SELECT 1) one LEFT JOIN orgdb.outbox_lease l ON l.consumer = p_consumer AND l.owner = p_member
    ORDER BY l.part;
END $$;
`

/** How far the log of the server has been read into the feed. */
const log = `
CREATE TABLE orgdb.outbox_log (
  slot text PRIMARY KEY,
  -- Of the last transaction that was stored.
  position pg_lsn NOT NULL,
  -- How many of its changes, where it is stored in parts; NULL for all.
  partly bigint
);
`

/** A consumer that was removed while it ran finds nothing, rather than an error. */
const removable = balance
  .replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION')
  .replace('FOR UPDATE;', 'FOR UPDATE;\n  IF NOT FOUND THEN RETURN; END IF;')

/** On which timeline of the server's log the feed was seen last; how much there is to do can be unknown. */
const timeline = `
ALTER TABLE orgdb.outbox_feed ADD COLUMN timeline text;
ALTER TABLE orgdb.outbox_job ALTER COLUMN total DROP NOT NULL, ALTER COLUMN total DROP DEFAULT;
`

/** The feed's own tables, for core's `installSchema(db.sql, [outboxSchema])`. */
export const outboxSchema: SchemaPackage = {
  name: 'outbox',
  versions: [tables + balance, log, removable + timeline],
}
