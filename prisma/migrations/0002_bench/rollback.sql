-- Loses all rows of these tables.
DROP TABLE "bench_item";
