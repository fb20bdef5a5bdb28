-- Loses all rows of these tables.
DROP TABLE "assortment_detail";
DROP TABLE "assortment";
DROP TYPE "level";
DROP EXTENSION IF EXISTS citext;
