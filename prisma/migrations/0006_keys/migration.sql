-- Keys that JavaScript's numbers can't hold: for the tests of the change feed.
CREATE TABLE snow (id bigint PRIMARY KEY, v integer NOT NULL);
CREATE TABLE odd (
  big bigint NOT NULL,
  price numeric(30, 6) NOT NULL,
  at timestamp(3) NOT NULL,
  exact timestamptz(3) NOT NULL,
  day date NOT NULL,
  clock time(3) NOT NULL,
  v integer NOT NULL,
  json jsonb,
  PRIMARY KEY (big, price, at, exact, day, clock)
);
