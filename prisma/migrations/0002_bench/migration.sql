-- Table of the benchmarks

CREATE TABLE "bench_item" (
  "id" SERIAL PRIMARY KEY,
  "name" TEXT NOT NULL,
  "email" TEXT NOT NULL,
  "active" BOOLEAN NOT NULL,
  "score" INTEGER NOT NULL,
  "rating" DOUBLE PRECISION NOT NULL,
  "price" DECIMAL(10, 2) NOT NULL,
  "created" TIMESTAMPTZ(3) NOT NULL,
  "meta" JSONB NOT NULL
);
