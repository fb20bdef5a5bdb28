/** One migration as real projects have them. */
export interface CorpusMigration {
  readonly name: string
  readonly sql: string
  readonly rollback?: string
}

const texts: readonly (readonly [name: string, sql: string, rollback?: string])[] = [
  [
    'init',
    `-- CreateEnum\nCREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');\n\n-- CreateTable\nCREATE TABLE "User" (\n    "id" SERIAL NOT NULL,\n    "email" TEXT NOT NULL,\n    "role" "Role" NOT NULL DEFAULT 'USER',\n\n    CONSTRAINT "User_pkey" PRIMARY KEY ("id")\n);\n\n-- CreateIndex\nCREATE UNIQUE INDEX "User_email_key" ON "User"("email");\n`,
    `DROP TABLE "User"; DROP TYPE "Role";`,
  ],
  [
    'posts',
    `CREATE TABLE "Post" ("id" TEXT NOT NULL, "title" VARCHAR(255) NOT NULL, "authorId" INTEGER NOT NULL, "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, CONSTRAINT "Post_pkey" PRIMARY KEY ("id"));\nALTER TABLE "Post" ADD CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User"("id") ON DELETE RESTRICT ON UPDATE CASCADE;`,
    `DROP TABLE "Post";`,
  ],
  [
    'crlf',
    `-- AlterTable\r\nALTER TABLE "User"\r\n  ADD COLUMN "name" TEXT,\r\n  ADD COLUMN "bio" TEXT DEFAULT 'line one;\r\nline two';\r\n\r\nCREATE INDEX "User_name_idx" ON "User"("name");\r\n`,
    `ALTER TABLE "User" DROP COLUMN "name", DROP COLUMN "bio";`,
  ],
  [
    'non_ascii',
    `-- Größe; naïve 東京 😀\nCREATE TABLE "Ärzte" ("größe" text DEFAULT 'Zürich; 東京; 😀', "naïve" int);\nCOMMENT ON TABLE "Ärzte" IS 'Straße; Übung';\nINSERT INTO "Ärzte" VALUES ('é;è', 1);`,
    `DROP TABLE "Ärzte";`,
  ],
  [
    'function_dollar',
    `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  NEW."createdAt" := now(); -- ; not the end\n  RETURN NEW;\nEND;\n$$;`,
    'DROP FUNCTION touch();',
  ],
  [
    'trigger',
    `CREATE TRIGGER "Post_touch" BEFORE UPDATE ON "Post" FOR EACH ROW EXECUTE FUNCTION touch();`,
    `DROP TRIGGER "Post_touch" ON "Post";`,
  ],
  [
    'function_tags',
    `CREATE FUNCTION nested() RETURNS text LANGUAGE plpgsql AS $outer$\nDECLARE v text := $inner$ a; $$ b; $$ c $inner$;\nBEGIN\n  EXECUTE $q$SELECT 1; SELECT 2$q$;\n  RETURN v;\nEND $outer$;`,
    'DROP FUNCTION nested();',
  ],
  [
    'function_atomic',
    `CREATE FUNCTION add_one(n int) RETURNS int LANGUAGE sql IMMUTABLE\nBEGIN ATOMIC\n  SELECT n + 0;\n  SELECT CASE WHEN n > 0 THEN n + 1 ELSE n END;\nEND;\nSELECT add_one(1);`,
    'DROP FUNCTION add_one(int);',
  ],
  [
    'function_quotes',
    `CREATE FUNCTION quoted() RETURNS text LANGUAGE sql AS 'SELECT ''a;b''::text';\nCREATE FUNCTION escaped() RETURNS text LANGUAGE sql AS E'SELECT \\'a;b\\'::text';`,
    'DROP FUNCTION quoted(); DROP FUNCTION escaped();',
  ],
  [
    'procedure',
    `CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM "Post" WHERE "title" = ';'; END $$;\nCALL tidy();`,
    'DROP PROCEDURE tidy();',
  ],
  [
    'do_block',
    `DO $$\nDECLARE r record;\nBEGIN\n  FOR r IN SELECT 1 AS n LOOP\n    RAISE NOTICE 'row %;', r.n;\n  END LOOP;\nEND\n$$;`,
  ],
  [
    'do_conditional_type',
    `DO $do$ BEGIN\n  CREATE TYPE mood AS ENUM ('sad', 'ok');\nEXCEPTION WHEN duplicate_object THEN NULL;\nEND $do$;`,
    'DROP TYPE mood;',
  ],
  ['enum_value', `-- AlterEnum\nALTER TYPE "Role" ADD VALUE 'MODERATOR';`],
  [
    'enum_value_order',
    `ALTER TYPE mood ADD VALUE IF NOT EXISTS 'happy' AFTER 'ok';\nALTER TYPE mood RENAME VALUE 'sad' TO 'blue';`,
  ],
  [
    'enum_rebuilt',
    `BEGIN;\nCREATE TYPE "Role_new" AS ENUM ('USER', 'ADMIN', 'MODERATOR', 'OWNER');\nALTER TABLE "User" ALTER COLUMN "role" DROP DEFAULT;\nALTER TABLE "User" ALTER COLUMN "role" TYPE "Role_new" USING ("role"::text::"Role_new");\nALTER TYPE "Role" RENAME TO "Role_old";\nALTER TYPE "Role_new" RENAME TO "Role";\nDROP TYPE "Role_old";\nALTER TABLE "User" ALTER COLUMN "role" SET DEFAULT 'USER';\nCOMMIT;`,
  ],
  [
    'partitions',
    `CREATE TABLE event (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, payload jsonb, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);\nCREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\nCREATE TABLE event_rest PARTITION OF event DEFAULT;\nCREATE INDEX event_at ON event (at);`,
    'DROP TABLE event;',
  ],
  [
    'partition_attach',
    `CREATE TABLE event_2024 (LIKE event INCLUDING DEFAULTS INCLUDING CONSTRAINTS);\nALTER TABLE event ATTACH PARTITION event_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');`,
    'DROP TABLE event_2024;',
  ],
  [
    'partition_loop',
    `DO $$ BEGIN\n  FOR y IN 2026..2028 LOOP\n    EXECUTE format('CREATE TABLE event_%s PARTITION OF event FOR VALUES FROM (%L) TO (%L);', y, y || '-01-01', (y + 1) || '-01-01');\n  END LOOP;\nEND $$;`,
    'DROP TABLE event_2026, event_2027, event_2028;',
  ],
  [
    'partition_list',
    `CREATE TABLE sale (region text, n int) PARTITION BY LIST (region);\nCREATE TABLE sale_eu PARTITION OF sale FOR VALUES IN ('de;at', 'fr');\nCREATE TABLE sale_hash PARTITION OF sale DEFAULT PARTITION BY HASH (n);\nCREATE TABLE sale_hash_0 PARTITION OF sale_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);`,
    'DROP TABLE sale;',
  ],
  [
    'concurrent_index',
    `CREATE INDEX CONCURRENTLY "Post_title_idx" ON "Post"("title");`,
    `DROP INDEX CONCURRENTLY "Post_title_idx";`,
  ],
  [
    'concurrent_many',
    `CREATE INDEX CONCURRENTLY IF NOT EXISTS a_idx ON "Post" ("authorId");\nCREATE INDEX CONCURRENTLY b_idx ON "Post" (lower("title"));\nDROP INDEX CONCURRENTLY a_idx;`,
    `DROP INDEX CONCURRENTLY b_idx;`,
  ],
  [
    'concurrent_mixed',
    `ALTER TABLE "Post" ADD COLUMN "views" INTEGER NOT NULL DEFAULT 0;\nCREATE INDEX CONCURRENTLY "Post_views_idx" ON "Post" ("views") WHERE "views" > 0;\nCOMMENT ON COLUMN "Post"."views" IS 'how often;';`,
    `ALTER TABLE "Post" DROP COLUMN "views";`,
  ],
  ['reindex', 'REINDEX INDEX CONCURRENTLY "Post_views_idx";'],
  ['vacuum', 'VACUUM (ANALYZE) "Post";\nANALYZE;'],
  [
    'backfill',
    `INSERT INTO "User" ("email", "name") SELECT 'user' || n || '@example.com', 'User; ' || n FROM generate_series(1, 50) n;\nUPDATE "User" SET "bio" = coalesce("bio", '') || E'\\n;' WHERE "bio" IS NULL;`,
    `DELETE FROM "User";`,
  ],
  [
    'backfill_cte',
    `WITH picked AS (SELECT "id" FROM "User" ORDER BY "id" LIMIT 10), changed AS (UPDATE "User" u SET "name" = 'Picked' FROM picked p WHERE u."id" = p."id" RETURNING u."id")\nINSERT INTO "Post" ("id", "title", "authorId") SELECT 'p' || "id", 'a; "b"', "id" FROM changed;`,
  ],
  [
    'seed_values',
    `INSERT INTO "Ärzte" ("größe", "naïve") VALUES ('it''s; fine', 2), ($$dollar; 'quoted'$$, 3), (E'back\\\\slash;\\'', 4), (U&'d\\0061t\\+000061;', 5);`,
    `DELETE FROM "Ärzte" WHERE "naïve" > 1;`,
  ],
  [
    'views',
    `CREATE VIEW author AS SELECT u."id", count(*) AS posts FROM "User" u JOIN "Post" p ON p."authorId" = u."id" GROUP BY 1;\nCREATE MATERIALIZED VIEW author_stats AS SELECT * FROM author WITH NO DATA;\nCREATE UNIQUE INDEX author_stats_id ON author_stats ("id");\nREFRESH MATERIALIZED VIEW author_stats;`,
    'DROP MATERIALIZED VIEW author_stats; DROP VIEW author;',
  ],
  [
    'view_replaced',
    `CREATE OR REPLACE VIEW author AS SELECT u."id", count(*) AS posts, max(p."createdAt") AS latest FROM "User" u JOIN "Post" p ON p."authorId" = u."id" GROUP BY 1;`,
  ],
  ['refresh_concurrently', 'REFRESH MATERIALIZED VIEW CONCURRENTLY author_stats;'],
  [
    'rules',
    `CREATE TABLE log (note text);\nCREATE RULE log_posts AS ON DELETE TO "Post" DO ALSO (INSERT INTO log VALUES ('gone; one'); INSERT INTO log VALUES ('two'));`,
    'DROP RULE log_posts ON "Post"; DROP TABLE log;',
  ],
  [
    'row_security',
    `ALTER TABLE "Post" ENABLE ROW LEVEL SECURITY;\nALTER TABLE "Post" FORCE ROW LEVEL SECURITY;\nCREATE POLICY tenant ON "Post" USING ("authorId"::text = NULLIF(current_setting('app.tenant', true), '')) WITH CHECK (true);`,
    `DROP POLICY tenant ON "Post"; ALTER TABLE "Post" NO FORCE ROW LEVEL SECURITY; ALTER TABLE "Post" DISABLE ROW LEVEL SECURITY;`,
  ],
  [
    'extension',
    `CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX "Post_title_trgm" ON "Post" USING gin ("title" gin_trgm_ops);`,
    `DROP INDEX "Post_title_trgm"; DROP EXTENSION pg_trgm;`,
  ],
  [
    'extension_schema',
    `CREATE SCHEMA extensions;\nCREATE EXTENSION citext SCHEMA extensions;\nALTER TABLE "User" ADD COLUMN "nick" extensions.citext;`,
    `ALTER TABLE "User" DROP COLUMN "nick"; DROP EXTENSION citext; DROP SCHEMA extensions;`,
  ],
  [
    'domain',
    `CREATE DOMAIN email AS text CONSTRAINT has_at CHECK (VALUE ~ '^[^;]+@[^;]+$') NOT NULL;`,
    'DROP DOMAIN email;',
  ],
  [
    'composite',
    `CREATE TYPE address AS (street text, zip varchar(10));\nCREATE TABLE shop (id int PRIMARY KEY, address address, tags text[] NOT NULL DEFAULT '{"a;b",c}');`,
    'DROP TABLE shop; DROP TYPE address;',
  ],
  [
    'range_type',
    `CREATE TYPE float_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);`,
    'DROP TYPE float_range;',
  ],
  [
    'generated',
    `ALTER TABLE shop ADD COLUMN tag_count int GENERATED ALWAYS AS (cardinality(tags)) STORED;`,
    'ALTER TABLE shop DROP COLUMN tag_count;',
  ],
  [
    'identity',
    `ALTER TABLE shop ADD COLUMN no bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 100);`,
    'ALTER TABLE shop DROP COLUMN no;',
  ],
  [
    'sequence',
    `CREATE SEQUENCE order_no AS bigint START 1000 INCREMENT 10 CACHE 5;\nSELECT setval('order_no', 2000, true);\nALTER SEQUENCE order_no OWNED BY shop.id;`,
    'DROP SEQUENCE order_no;',
  ],
  [
    'check_two_steps',
    `ALTER TABLE shop ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;`,
    'ALTER TABLE shop DROP CONSTRAINT positive;',
  ],
  ['check_validated', `ALTER TABLE shop VALIDATE CONSTRAINT positive;`],
  [
    'exclusion',
    `CREATE EXTENSION btree_gist;\nCREATE TABLE booking (room int, during tstzrange, CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&));`,
    'DROP TABLE booking; DROP EXTENSION btree_gist;',
  ],
  [
    'unique_using_index',
    `CREATE UNIQUE INDEX shop_no_idx ON shop (no);\nALTER TABLE shop ADD CONSTRAINT shop_no UNIQUE USING INDEX shop_no_idx;`,
    'ALTER TABLE shop DROP CONSTRAINT shop_no;',
  ],
  [
    'deferrable',
    `CREATE TABLE node (id int PRIMARY KEY, parent int REFERENCES node (id) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO node VALUES (1, 2), (2, 1);\nSET CONSTRAINTS ALL IMMEDIATE;`,
    'DROP TABLE node;',
  ],
  [
    'schemas',
    `CREATE SCHEMA "my;schema";\nCREATE TABLE "my;schema"."table;" ("col;umn" int);\nCREATE INDEX ON "my;schema"."table;" ("col;umn");`,
    `DROP SCHEMA "my;schema" CASCADE;`,
  ],
  [
    'search_path',
    `SET search_path = "my;schema", public;\nCREATE TABLE inside (id int);\nRESET search_path;`,
    `DROP TABLE "my;schema".inside;`,
  ],
  [
    'dump_style',
    `SELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\nSET client_min_messages = warning;\nSET default_tablespace = '';\nCREATE TABLE public.dumped (id integer NOT NULL);\nALTER TABLE ONLY public.dumped ADD CONSTRAINT dumped_pkey PRIMARY KEY (id);\nSELECT pg_catalog.set_config('search_path', 'public', false);`,
    'DROP TABLE public.dumped;',
  ],
  [
    'nested_comments',
    `/* outer; /* inner; */ still; */\nCREATE TABLE commented (a int /* ; */, -- ;\n  b int);\n/* last; */`,
    'DROP TABLE commented;',
  ],
  [
    'operators',
    `SELECT 1 /* a */ + /* b */ 2, 'a' || ';' || 'b', '{"a": ";"}'::jsonb ->> 'a', ARRAY[';'] @> ARRAY[';'], 5 % 2 = 1;`,
  ],
  ['many_semicolons', ';;\n;CREATE TABLE semi (id int);;;\n;', 'DROP TABLE semi;'],
  ['no_final_semicolon', 'CREATE TABLE unfinished (id int)', 'DROP TABLE unfinished'],
  [
    'statistics',
    `CREATE STATISTICS shop_stats (dependencies, ndistinct) ON id, no FROM shop;\nALTER TABLE shop ALTER COLUMN no SET STATISTICS 500;`,
    'DROP STATISTICS shop_stats; ALTER TABLE shop ALTER COLUMN no SET STATISTICS -1;',
  ],
  [
    'aggregate',
    `CREATE FUNCTION add_up(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, 0) + coalesce($2, 0)';\nCREATE AGGREGATE total (int) (SFUNC = add_up, STYPE = int, INITCOND = '0');`,
    'DROP AGGREGATE total (int); DROP FUNCTION add_up(int, int);',
  ],
  [
    'operator_and_cast',
    `CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = add_up);\nSELECT 1 ### 2;`,
    'DROP OPERATOR ### (int, int);',
  ],
  [
    'event_trigger',
    `CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $_$ BEGIN NULL; END; $_$;\nCREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION on_ddl();`,
    'DROP EVENT TRIGGER watch; DROP FUNCTION on_ddl();',
  ],
  ['publication', 'CREATE PUBLICATION feed FOR TABLE shop;', 'DROP PUBLICATION feed;'],
  [
    'grants',
    `GRANT SELECT ON shop TO PUBLIC;\nALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;`,
    'REVOKE SELECT ON shop FROM PUBLIC; ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM PUBLIC;',
  ],
  [
    'rename',
    `ALTER TABLE shop RENAME COLUMN tags TO labels;\nALTER INDEX shop_pkey RENAME TO shop_key;`,
    'ALTER INDEX shop_key RENAME TO shop_pkey; ALTER TABLE shop RENAME COLUMN labels TO tags;',
  ],
  [
    'type_change',
    `ALTER TABLE "Post" ALTER COLUMN "title" SET DATA TYPE TEXT;\nALTER TABLE shop ALTER COLUMN id TYPE bigint USING id::bigint;`,
    `ALTER TABLE shop ALTER COLUMN id TYPE int; ALTER TABLE "Post" ALTER COLUMN "title" TYPE varchar(255);`,
  ],
  [
    'savepoint',
    `BEGIN;\nSAVEPOINT one;\nCREATE TABLE saved (id int);\nRELEASE SAVEPOINT one;\nCOMMIT;`,
    'DROP TABLE saved;',
  ],
  [
    'temporary',
    `START TRANSACTION;\nCREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT 1 AS n;\nINSERT INTO "Ärzte" SELECT 'temp;', n FROM scratch;\nEND;`,
  ],
  [
    'detach',
    `ALTER TABLE event DETACH PARTITION event_2024;`,
    `ALTER TABLE event ATTACH PARTITION event_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');`,
  ],
  [
    'xml_and_json',
    `SELECT '<a>;</a>'::text, $json$ {"sql": "SELECT 1;"}$json$::jsonb, 'multi\nline;\nstring';`,
  ],
  [
    'trigger_transition',
    `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM count(*) FROM fresh; RETURN NULL; END; $f$;\nCREATE TRIGGER shop_note AFTER INSERT ON shop REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note();`,
    'DROP TRIGGER shop_note ON shop; DROP FUNCTION note();',
  ],
  [
    'constraint_trigger',
    `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $a1$ BEGIN RETURN NULL; END $a1$;\nCREATE CONSTRAINT TRIGGER shop_guard AFTER INSERT ON shop DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard();`,
    'DROP TRIGGER shop_guard ON shop; DROP FUNCTION guard();',
  ],
]

/** In the order they are applied; names as Prisma gives them. */
export const corpus: readonly CorpusMigration[] = texts.map(([name, sql, rollback], index) => ({
  name: `2026${String(index + 1).padStart(10, '0')}_${name}`,
  sql,
  ...(rollback !== undefined && { rollback }),
}))
