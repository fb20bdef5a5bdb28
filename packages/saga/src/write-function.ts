/**
 * The second version of `orgdb.saga_write`, which knows JSON's null from nothing at all: `jsonb_to_recordset` makes SQL's
 * NULL of both. As the first one in all else; processes with the code of the first one go on using it.
 */
export const write2 = `
CREATE OR REPLACE FUNCTION orgdb.saga_write(p jsonb, p_births boolean, p_pages boolean, p_signals boolean)
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
      SELECT w.id, w.token, w.name, w.version, w.shape, w.state, w.step, coalesce(w.input, 'null'), w.context, w.attributes, w.entries, w.output,
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
      output = CASE WHEN w.has_output THEN coalesce(w.output, 'null') ELSE coalesce(w.output, s.output) END,
      error = coalesce(w.error, s.error),
      owner = CASE WHEN w.release THEN NULL ELSE s.owner END,
      run_at = CASE WHEN w.release THEN to_timestamp(w.run_at / 1000) ELSE s.run_at END,
      crashes = CASE WHEN w.crashes IS NULL THEN 0 ELSE s.crashes END,
      asked = CASE WHEN w.is_final THEN NULL ELSE s.asked END,
      finished_at = CASE WHEN w.is_final THEN clock_timestamp() ELSE s.finished_at END,
      updated_at = clock_timestamp()
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, page integer, entries jsonb, state text, step text, output jsonb, error jsonb,
      release boolean, run_at double precision, is_final boolean, crashes integer, has_output boolean)
    WHERE s.id = w.id AND s.token = w.token
    RETURNING s.id, s.asked, NULL::text;
  IF p_signals THEN
    UPDATE orgdb.saga_signal g SET taken = true
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, taken jsonb) CROSS JOIN jsonb_to_recordset(w.taken) AS t(name text, id text)
    JOIN orgdb.saga s ON s.id = w.id AND s.token = w.token
    WHERE g.saga = w.id AND g.name = t.name AND g.id = t.id;
    -- Children tell their parents.
    INSERT INTO orgdb.saga_signal (saga, name, id, payload)
    SELECT w.parent, 'child:' || w.parent_step, w.id, jsonb_build_object('state', w.state, 'error', w.error)
      || CASE WHEN w.has_output THEN jsonb_build_object('output', coalesce(w.output, 'null')) ELSE '{}' END
    FROM jsonb_to_recordset(p) AS w(id text, token bigint, state text, output jsonb, error jsonb, parent text, parent_step text, has_output boolean)
    JOIN orgdb.saga s ON s.id = w.id AND s.token = w.token
    WHERE w.parent IS NOT NULL AND EXISTS (SELECT FROM orgdb.saga up WHERE up.id = w.parent)
    ON CONFLICT DO NOTHING;
    UPDATE orgdb.saga up SET run_at = clock_timestamp()
    FROM jsonb_to_recordset(p) AS w(parent text) WHERE up.id = w.parent AND up.owner IS NULL AND up.state = 'waiting';
  END IF;
END $$;
`
