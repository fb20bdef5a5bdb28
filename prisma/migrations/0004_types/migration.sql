-- Tables of the tests that compare types

CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE "level" AS ENUM ('level-1', 'middle', 'level 3');

CREATE TABLE "assortment" (
  "id" SERIAL PRIMARY KEY,
  "text" TEXT,
  "varchar" VARCHAR(40),
  "char" CHAR(8),
  "uuid" UUID,
  "citext" CITEXT,
  "xml" XML,
  "inet" INET,
  "bit" BIT(4),
  "var_bit" VARBIT,
  "int" INTEGER,
  "small_int" SMALLINT,
  "oid" OID,
  "bigint" BIGINT,
  "float" DOUBLE PRECISION,
  "real" REAL,
  "decimal" DECIMAL(65, 30),
  "numeric" DECIMAL(30, 10),
  "money" MONEY,
  "boolean" BOOLEAN,
  "timestamp" TIMESTAMP(3),
  "timestamp_6" TIMESTAMP(6),
  "timestamp_tz" TIMESTAMPTZ(6),
  "date" DATE,
  "time" TIME(6),
  "time_tz" TIMETZ(3),
  "json" JSON,
  "jsonb" JSONB,
  "bytes" BYTEA,
  "level" "level" DEFAULT 'middle',
  "texts" TEXT[],
  "uuids" UUID[],
  "ints" INTEGER[],
  "bigints" BIGINT[],
  "floats" DOUBLE PRECISION[],
  "decimals" DECIMAL(65, 30)[],
  "booleans" BOOLEAN[],
  "timestamps" TIMESTAMP(3)[],
  "timestamp_tzs" TIMESTAMPTZ(3)[],
  "dates" DATE[],
  "times" TIME(3)[],
  "jsons" JSONB[],
  "blobs" BYTEA[],
  "levels" "level"[]
);
CREATE UNIQUE INDEX "assortment_uuid_key" ON "assortment" ("uuid");
CREATE UNIQUE INDEX "assortment_citext_key" ON "assortment" ("citext");
CREATE UNIQUE INDEX "assortment_int_key" ON "assortment" ("int");
CREATE UNIQUE INDEX "assortment_bigint_key" ON "assortment" ("bigint");
CREATE UNIQUE INDEX "assortment_small_int_varchar_key" ON "assortment" ("small_int", "varchar");

CREATE TABLE "assortment_detail" (
  "id" TEXT PRIMARY KEY,
  "uuid4" UUID NOT NULL,
  "uuid7" TEXT NOT NULL,
  "cuid2" TEXT NOT NULL,
  "ulid" TEXT NOT NULL,
  "nano" TEXT NOT NULL,
  "position" SERIAL NOT NULL,
  "count" INTEGER NOT NULL DEFAULT 42,
  "label" TEXT NOT NULL DEFAULT 'a ''label''',
  "price" DECIMAL(8, 2) NOT NULL DEFAULT 1.50,
  "json" JSONB NOT NULL DEFAULT '{"a":1}',
  "tags" TEXT[] DEFAULT ARRAY['x', 'y z']::TEXT[],
  "level" "level" NOT NULL DEFAULT 'level 3',
  "server" TEXT NOT NULL DEFAULT ('s' || 1),
  "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL,
  "assortment_id" INTEGER,
  CONSTRAINT "assortment_detail_assortment_id_fkey" FOREIGN KEY ("assortment_id") REFERENCES "assortment" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
