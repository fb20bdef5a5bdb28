-- Tables of prisma/schema/extras.prisma.
-- Another order than in the Prisma schema, as ALTER TYPE … ADD VALUE leaves it.
CREATE TYPE "mood" AS ENUM ('busy', 'wild', 'calm');

CREATE TABLE "reading" (
  "id" SERIAL PRIMARY KEY,
  "code" UUID NOT NULL,
  "station" TEXT NOT NULL,
  "note" TEXT,
  "tag" TEXT,
  "level" INTEGER,
  "total" BIGINT,
  "price" DECIMAL(20, 6),
  "ratio" DOUBLE PRECISION,
  "share" REAL,
  "active" BOOLEAN,
  "mood" "mood",
  "day" DATE,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "exact_at" TIMESTAMPTZ(6),
  "blob" BYTEA
);

CREATE TABLE "person" (
  "id" SERIAL PRIMARY KEY,
  "name" TEXT NOT NULL,
  "deleted_at" TIMESTAMPTZ(3),
  "deletion_id" UUID
);

CREATE TABLE "folder" (
  "id" SERIAL PRIMARY KEY,
  "path" TEXT NOT NULL,
  "parent_id" INTEGER REFERENCES "folder" ON DELETE CASCADE ON UPDATE CASCADE,
  "deleted_at" TIMESTAMPTZ(3),
  "deletion_id" UUID
);
CREATE UNIQUE INDEX "folder_path_key" ON "folder" ("path");

CREATE TABLE "document" (
  "id" SERIAL PRIMARY KEY,
  "title" TEXT NOT NULL,
  "version" INTEGER NOT NULL DEFAULT 0,
  "folder_id" INTEGER NOT NULL REFERENCES "folder" ON DELETE CASCADE ON UPDATE CASCADE,
  "editor_id" INTEGER REFERENCES "person" ON DELETE SET NULL ON UPDATE CASCADE,
  "deleted_at" TIMESTAMPTZ(3),
  "deletion_id" UUID
);

CREATE TABLE "note" (
  "id" SERIAL PRIMARY KEY,
  "text" TEXT NOT NULL,
  "document_id" INTEGER NOT NULL REFERENCES "document" ON DELETE CASCADE ON UPDATE CASCADE,
  "deleted_at" TIMESTAMPTZ(3),
  "deletion_id" UUID
);

CREATE TABLE "seal" (
  "id" SERIAL PRIMARY KEY,
  "document_id" INTEGER NOT NULL REFERENCES "document" ON DELETE RESTRICT ON UPDATE CASCADE,
  "deleted_at" TIMESTAMPTZ(3)
);

CREATE TABLE "keyword" (
  "word" TEXT PRIMARY KEY,
  "deleted_at" TIMESTAMPTZ(3),
  "deletion_id" UUID
);

CREATE TABLE "_DocumentToKeyword" (
  "A" INTEGER NOT NULL REFERENCES "document" ON DELETE CASCADE ON UPDATE CASCADE,
  "B" TEXT NOT NULL REFERENCES "keyword" ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "_DocumentToKeyword_AB_pkey" PRIMARY KEY ("A", "B")
);
CREATE INDEX "_DocumentToKeyword_B_index" ON "_DocumentToKeyword" ("B");

CREATE TABLE "attachment" (
  "id" SERIAL PRIMARY KEY,
  "name" TEXT NOT NULL,
  "document_id" INTEGER NOT NULL REFERENCES "document" ON DELETE CASCADE ON UPDATE CASCADE
);
