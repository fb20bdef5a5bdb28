-- Loses all rows of these tables.
DROP TABLE odd;
DROP TABLE snow;
