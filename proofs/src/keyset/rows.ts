/** Rows with few values in each column, so that there are ties and nulls everywhere. */
export function randomRows(station: string, count: number): string {
  const some = (values: string): string =>
    `(ARRAY[${values}, NULL])[1 + floor(random() * ${values.split(',').length + 1})::int]`
  return `
    INSERT INTO reading (code, station, note, level, total, price, ratio, share, active, mood, day, at, exact_at)
    SELECT gen_random_uuid(), '${station}', ${some("'a','A','b','B','ä'")}, ${some('1,2,3')},
      ${some('9007199254740993,9007199254740992,-1')}, ${some('0.1,0.100001,-7')}, ${some('0.1,0.3,1e300')},
      ${some('0.1,0.3,16777217')}, ${some('true,false')}, ${some("'busy','wild','calm'")}::mood,
      ${some("'2024-02-01','2024-02-02'")}::date,
      '2024-02-03Z'::timestamptz + floor(random() * 5) * interval '1 millisecond',
      CASE WHEN random() < 0.1 THEN NULL ELSE '2024-02-03Z'::timestamptz + floor(random() * 9000) * interval '1 microsecond' END
    FROM generate_series(1, ${count})`
}
