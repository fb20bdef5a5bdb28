-- Loses all rows of these tables.
DROP TABLE "attachment";
DROP TABLE "_DocumentToKeyword";
DROP TABLE "keyword";
DROP TABLE "seal";
DROP TABLE "note";
DROP TABLE "document";
DROP TABLE "folder";
DROP TABLE "person";
DROP TABLE "reading";
DROP TYPE "mood";
