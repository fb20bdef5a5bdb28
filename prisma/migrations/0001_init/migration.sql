-- Tables of the shop

CREATE TYPE "order_status" AS ENUM ('placed', 'cancelled');

CREATE TABLE "film_source" (
  "row" INTEGER PRIMARY KEY,
  "data" JSONB NOT NULL,
  "corrections" TEXT[],
  "doubts" TEXT[],
  "rejected" TEXT
);

CREATE TABLE "film" (
  "id" SERIAL PRIMARY KEY,
  "title" TEXT NOT NULL,
  "released_on" DATE,
  "genre" TEXT,
  "rating" TEXT,
  "director" TEXT,
  "distributor" TEXT,
  "running_minutes" INTEGER,
  "worldwide_gross" BIGINT,
  "imdb_rating" DECIMAL(3, 1),
  "price_cents" INTEGER NOT NULL,
  "stock" INTEGER NOT NULL DEFAULT 0,
  "source_row" INTEGER,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "film_source_row_fkey" FOREIGN KEY ("source_row") REFERENCES "film_source" ("row") ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT "film_stock_not_negative" CHECK ("stock" >= 0),
  CONSTRAINT "film_price_positive" CHECK ("price_cents" > 0)
);
CREATE UNIQUE INDEX "film_source_row_key" ON "film" ("source_row");
CREATE INDEX "film_genre_id_idx" ON "film" ("genre", "id");

CREATE TABLE "order" (
  "id" UUID PRIMARY KEY,
  "customer" TEXT NOT NULL,
  "status" "order_status" NOT NULL DEFAULT 'placed',
  "total_cents" INTEGER NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "order_customer_created_at_idx" ON "order" ("customer", "created_at");

CREATE TABLE "order_item" (
  "order_id" UUID NOT NULL,
  "film_id" INTEGER NOT NULL,
  "quantity" INTEGER NOT NULL,
  "price_cents" INTEGER NOT NULL,
  CONSTRAINT "order_item_pkey" PRIMARY KEY ("order_id", "film_id"),
  CONSTRAINT "order_item_order_id_fkey" FOREIGN KEY ("order_id") REFERENCES "order" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "order_item_film_id_fkey" FOREIGN KEY ("film_id") REFERENCES "film" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
  CONSTRAINT "order_item_quantity_positive" CHECK ("quantity" > 0)
);
CREATE INDEX "order_item_film_id_idx" ON "order_item" ("film_id");

-- Tables of the packages' tests

CREATE TYPE "colour" AS ENUM ('red', 'green', 'blue');

CREATE TABLE "users" (
  "id" SERIAL PRIMARY KEY,
  "email" TEXT NOT NULL,
  "name" TEXT,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");

CREATE TABLE "post" (
  "id" SERIAL PRIMARY KEY,
  "title" TEXT NOT NULL,
  "slug" TEXT NOT NULL,
  "views" INTEGER NOT NULL DEFAULT 0,
  "author_id" INTEGER NOT NULL,
  CONSTRAINT "post_author_id_fkey" FOREIGN KEY ("author_id") REFERENCES "users" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "post_slug_unique" ON "post" ("slug");
CREATE UNIQUE INDEX "post_author_id_title_key" ON "post" ("author_id", "title");

CREATE TABLE "team" (
  "code" VARCHAR(12) PRIMARY KEY,
  "label" TEXT NOT NULL
);

CREATE TABLE "membership" (
  "user_id" INTEGER NOT NULL,
  "team_code" VARCHAR(12) NOT NULL,
  "role" TEXT NOT NULL DEFAULT 'member',
  CONSTRAINT "membership_pkey" PRIMARY KEY ("user_id", "team_code"),
  CONSTRAINT "membership_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "membership_team_code_fkey" FOREIGN KEY ("team_code") REFERENCES "team" ("code") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "sample" (
  "id" UUID PRIMARY KEY,
  "text" TEXT NOT NULL,
  "int" INTEGER NOT NULL,
  "bigint" BIGINT NOT NULL,
  "float" DOUBLE PRECISION NOT NULL,
  "decimal" DECIMAL(20, 6) NOT NULL,
  "bool" BOOLEAN NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "day" DATE NOT NULL,
  "json" JSONB NOT NULL,
  "bytes" BYTEA NOT NULL,
  "colour" "colour" NOT NULL,
  "tags" TEXT[],
  "numbers" INTEGER[],
  "note" TEXT
);
