import type { SchemaPackage } from '@org/db-core'
import { write2 } from './write-function.ts'

const tables = `
CREATE TABLE orgdb.saga (
  id text PRIMARY KEY,
  name text NOT NULL,
  version integer NOT NULL,
  -- Of the list of steps that it began with; null where steps are not listed.
  shape text,
  state text NOT NULL CHECK (state IN ('pending', 'running', 'waiting', 'compensating', 'completed', 'compensated',
    'cancelled', 'compensation_failed', 'suspended', 'dead')),
  step text,
  input jsonb NOT NULL,
  context jsonb,
  attributes jsonb,
  -- What has happened since the last full page.
  journal jsonb NOT NULL DEFAULT '[]',
  pages integer NOT NULL DEFAULT 0,
  output jsonb,
  error jsonb,
  -- Which worker has it, and the fencing token, which grows with each owner.
  owner text,
  token bigint NOT NULL DEFAULT 0,
  crashes integer NOT NULL DEFAULT 0,
  -- From when on it can be claimed; null where it waits for something else than time.
  run_at timestamptz,
  deadline_at timestamptz,
  priority smallint NOT NULL DEFAULT 0,
  -- False as long as a limit holds it back.
  admitted boolean NOT NULL DEFAULT true,
  admitted_at timestamptz,
  lane text,
  lane_limit integer,
  rate text,
  rate_count integer,
  rate_ms double precision,
  parent text,
  parent_step text,
  asked text CHECK (asked IN ('cancel', 'compensate')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- None of these columns changes with a step, so that most writes touch no index.
CREATE INDEX saga_due ON orgdb.saga (priority DESC, run_at) WHERE owner IS NULL AND admitted AND run_at IS NOT NULL;
CREATE INDEX saga_held_back ON orgdb.saga (lane, rate, priority DESC, run_at) WHERE NOT admitted AND finished_at IS NULL;
CREATE INDEX saga_lane ON orgdb.saga (lane) WHERE lane IS NOT NULL AND admitted AND finished_at IS NULL;
CREATE INDEX saga_rate ON orgdb.saga (rate, admitted_at) WHERE rate IS NOT NULL AND admitted;
CREATE INDEX saga_owner ON orgdb.saga (owner) WHERE owner IS NOT NULL;
CREATE INDEX saga_open ON orgdb.saga (name, version, state) WHERE finished_at IS NULL;
CREATE INDEX saga_finished ON orgdb.saga (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX saga_parent ON orgdb.saga (parent) WHERE parent IS NOT NULL;

-- Full pages of journals, so that a long saga does not rewrite all that it has done with each step.
CREATE TABLE orgdb.saga_page (
  saga text NOT NULL REFERENCES orgdb.saga ON DELETE CASCADE,
  page integer NOT NULL,
  entries jsonb NOT NULL,
  PRIMARY KEY (saga, page)
);

CREATE TABLE orgdb.saga_signal (
  saga text NOT NULL REFERENCES orgdb.saga ON DELETE CASCADE,
  name text NOT NULL,
  id text NOT NULL,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  payload jsonb,
  taken boolean NOT NULL DEFAULT false,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (saga, name, id)
);
CREATE INDEX saga_signal_new ON orgdb.saga_signal (saga) WHERE NOT taken;

-- Processes that run sagas: one row renewed in place of a lease for each saga.
CREATE TABLE orgdb.saga_worker (
  id text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
`

/**
 * Stores what many runs have to say in one statement, each only where its token still holds, and returns those that were
 * stored. Its plans are kept by the connection; without the settings one made on an empty table would read all rows.
 */
const write = `
CREATE FUNCTION orgdb.saga_write(p jsonb, p_births boolean, p_pages boolean, p_signals boolean)
RETURNS TABLE (id text, asked text, born_by text)
LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
  IF p_births THEN
    RETURN QUERY
      WITH w AS (SELECT * FROM jsonb_to_recordset(p) AS w(id text, token bigint, name text, version integer, shape text, state text,
        step text, input jsonb, context jsonb, attributes jsonb, entries jsonb, output jsonb, owner text, run_at double precision,
        deadline_ms double precision, priority smallint, parent text, parent_step text))
      INSERT INTO orgdb.saga AS s (id, token, name, version, shape, state, step, input, context, attributes, journal, output, owner,
        run_at, deadline_at, priority, admitted_at, parent, parent_step, finished_at)
      SELECT w.id, w.token, w.name, w.version, w.shape, w.state, w.step, w.input, w.context, w.attributes, w.entries, w.output,
        w.owner, to_timestamp(w.run_at / 1000), clock_timestamp() + w.deadline_ms * interval '1 millisecond', w.priority,
        clock_timestamp(), w.parent, w.parent_step, CASE WHEN w.state = 'completed' THEN clock_timestamp() END
      FROM w ON CONFLICT (id) DO NOTHING RETURNING s.id, s.asked, s.owner;
    RETURN;
  END IF;
  IF p_pages THEN
    INSERT INTO orgdb.saga_page (saga, page, entries)
    SELECT s.id, s.pages, s.journal
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, page integer)
    JOIN orgdb.saga s ON s.id = w.id AND s.token = w.token AND s.pages = w.page
    FOR NO KEY UPDATE OF s ON CONFLICT DO NOTHING;
  END IF;
  RETURN QUERY
    UPDATE orgdb.saga s SET
      journal = CASE WHEN w.page = s.pages THEN w.entries ELSE s.journal || w.entries END,
      pages = CASE WHEN w.page = s.pages THEN s.pages + 1 ELSE s.pages END,
      state = coalesce(w.state, s.state),
      step = coalesce(w.step, s.step),
      output = coalesce(w.output, s.output),
      error = coalesce(w.error, s.error),
      owner = CASE WHEN w.release THEN NULL ELSE s.owner END,
      run_at = CASE WHEN w.release THEN to_timestamp(w.run_at / 1000) ELSE s.run_at END,
      crashes = CASE WHEN w.crashes IS NULL THEN 0 ELSE s.crashes END,
      asked = CASE WHEN w.is_final THEN NULL ELSE s.asked END,
      finished_at = CASE WHEN w.is_final THEN clock_timestamp() ELSE s.finished_at END,
      updated_at = clock_timestamp()
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, page integer, entries jsonb, state text, step text, output jsonb, error jsonb,
      release boolean, run_at double precision, is_final boolean, crashes integer)
    WHERE s.id = w.id AND s.token = w.token
    RETURNING s.id, s.asked, NULL::text;
  IF p_signals THEN
    UPDATE orgdb.saga_signal g SET taken = true
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, taken jsonb) CROSS JOIN jsonb_to_recordset(w.taken) AS t(name text, id text)
    JOIN orgdb.saga s ON s.id = w.id AND s.token = w.token
    WHERE g.saga = w.id AND g.name = t.name AND g.id = t.id;
    -- Children tell their parents.
    INSERT INTO orgdb.saga_signal (saga, name, id, payload)
    SELECT w.parent, 'child:' || w.parent_step, w.id, jsonb_build_object('state', w.state, 'output', w.output, 'error', w.error)
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, state text, output jsonb, error jsonb, parent text, parent_step text)
    JOIN orgdb.saga s ON s.id = w.id AND s.token = w.token
    WHERE w.parent IS NOT NULL AND EXISTS (SELECT FROM orgdb.saga up WHERE up.id = w.parent)
    ON CONFLICT DO NOTHING;
    UPDATE orgdb.saga up SET run_at = clock_timestamp()
    FROM jsonb_to_recordset(p) AS w(parent text) WHERE up.id = w.parent AND up.owner IS NULL AND up.state = 'waiting';
  END IF;
END $$;
`

/** Lets in what limits have held back, as far as they allow now; the locks end with the transaction. */
const admit = `
CREATE FUNCTION orgdb.saga_admit() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  g record;
  v_free integer;
  v_some integer;
  v_count integer := 0;
BEGIN
  FOR g IN
    SELECT s.lane, s.rate, max(s.lane_limit) AS lane_limit, max(s.rate_count) AS rate_count, max(s.rate_ms) AS rate_ms
    FROM orgdb.saga s WHERE NOT s.admitted AND s.finished_at IS NULL AND s.run_at <= clock_timestamp() GROUP BY s.lane, s.rate
  LOOP
    -- Tried, never waited for: whoever has the lock is doing this very work.
    CONTINUE WHEN g.lane IS NOT NULL AND NOT pg_try_advisory_xact_lock(hashtextextended('saga lane ' || g.lane, 0));
    CONTINUE WHEN g.rate IS NOT NULL AND NOT pg_try_advisory_xact_lock(hashtextextended('saga rate ' || g.rate, 0));
    v_free := 1000;
    IF g.lane IS NOT NULL THEN
      SELECT least(v_free, g.lane_limit - count(*)) INTO v_free FROM orgdb.saga a
      WHERE a.lane = g.lane AND a.admitted AND a.finished_at IS NULL;
    END IF;
    IF g.rate IS NOT NULL THEN
      SELECT least(v_free, g.rate_count - count(*)) INTO v_free FROM orgdb.saga a
      WHERE a.rate = g.rate AND a.admitted AND a.admitted_at > clock_timestamp() - g.rate_ms * interval '1 millisecond';
    END IF;
    CONTINUE WHEN v_free <= 0;
    UPDATE orgdb.saga s SET admitted = true, admitted_at = clock_timestamp() WHERE s.id IN (
      SELECT h.id FROM orgdb.saga h
      WHERE NOT h.admitted AND h.finished_at IS NULL AND h.run_at <= clock_timestamp()
        AND h.lane IS NOT DISTINCT FROM g.lane AND h.rate IS NOT DISTINCT FROM g.rate
      ORDER BY h.priority DESC, h.run_at LIMIT v_free FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS v_some = ROW_COUNT;
    v_count := v_count + v_some;
  END LOOP;
  RETURN v_count;
END $$;
`

/**
 * Whether somebody has seen to it that a signal is noticed. Whoever sends one wakes its saga afterwards, and can die in
 * between; and two that can't see each other yet, one parking a saga and one sending, would each leave it to the other.
 */
const told = `
ALTER TABLE orgdb.saga_signal ADD COLUMN told boolean NOT NULL DEFAULT false;
CREATE INDEX saga_signal_untold ON orgdb.saga_signal (at) WHERE NOT told AND NOT taken;
-- When the worker came back after it had been silent for too long: it may have been the server that was away, for all.
ALTER TABLE orgdb.saga_worker ADD COLUMN since timestamptz NOT NULL DEFAULT '-infinity';
`

/** The sagas' own tables, for core's `installSchema(db.sql, [sagaSchema])`. */
export const sagaSchema: SchemaPackage = { name: 'saga', versions: [tables + write + admit, told + write2] }
