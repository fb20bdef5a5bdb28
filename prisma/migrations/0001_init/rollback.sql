-- Loses all rows of these tables.
DROP TABLE "sample";
DROP TABLE "membership";
DROP TABLE "team";
DROP TABLE "post";
DROP TABLE "users";
DROP TABLE "order_item";
DROP TABLE "order";
DROP TABLE "film";
DROP TABLE "film_source";
DROP TYPE "colour";
DROP TYPE "order_status";
