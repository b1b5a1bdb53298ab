#!/bin/sh
# query.sh - paritylog query: reads, in three forms, and nothing but reads.
. "$(dirname "$0")/lib.sh"

filled log 20

begin 'a table by default'
run 0 query "$L" "SELECT record_id, version FROM records WHERE seq < 4 ORDER BY seq"
out_is 'record_id  version
---------  -------
1          1
2          1'

begin 'a table shows NULL, blobs, and no control characters'
run 0 query "$L" "SELECT NULL AS n, x'00ff' AS b, char(27) || '[31m' || char(133) || char(8238) AS t"
out_is "n     b        t
----  -------  ----------------------------
NULL  x'00ff'  \\x1B[31m\\xC2\\x85\\xE2\\x80\\xAE"

begin 'json: an array of objects'
run 0 query "$L" 'SELECT record_id, version, 1.5 AS r, NULL AS n, "a""b" AS t FROM records, (SELECT '\''a"b'\'' AS "a""b") WHERE seq = 2' --format json
out_is '[{"record_id":"1","version":1,"r":1.5,"n":null,"t":"a\"b"}]'
run 0 query "$L" 'SELECT 9007199254740993 AS big, -0.0 AS z, 1e300 AS e' --json
json_valid "$T/out"
out_has '"big":9007199254740993'

begin 'json: infinities are null, blobs hex, controls escaped'
run 0 query "$L" "SELECT 1e999 AS i, -1e999 AS m, x'00fF' AS b, 'a' || char(10, 1, 127) AS c" --json
out_is '[{"i":null,"m":null,"b":"00ff","c":"a\n\u0001\u007f"}]'

begin 'a REAL is all of its digits, and what get says, in each format'
echo '{"resource":"r","record_id":"real","op":"upsert","payload":{"ts":1767225600.125},"occurred_at":"2026-01-01T00:00:00Z","provenance":{"source":"s","confidence":0.12345678901234567}}' |
    run 0 append "$L" --quiet
run 0 get "$L" r real
out_has '"confidence":0.12345678901234566,'
sql="SELECT confidence, 0.1 + 0.2 AS s, 1e15 + 0.25 AS l, 1.0 AS o FROM records WHERE resource = 'r'"
run 0 query "$L" "$sql" --json
out_is '[{"confidence":0.12345678901234566,"s":0.30000000000000004,"l":1000000000000000.2,"o":1.0}]'
run 0 query "$L" "$sql" --format csv
out_has '0.12345678901234566,0.30000000000000004,1000000000000000.2,1.0'
run 0 query "$L" "$sql" --format table
out_has '0.12345678901234566  0.30000000000000004  1000000000000000.2  1.0'

begin 'json: text that is not UTF-8 does not break the document'
run 0 query "$L" "SELECT CAST(x'61ff62' AS TEXT) AS t" --json
out_is '[{"t":"a\ufffdb"}]'

begin 'json: column names that occur twice are told apart'
run 0 query "$L" 'SELECT 1 AS a, 2 AS a, 3 AS "a:2", 4 AS a' --json
out_is '[{"a":1,"a:2":2,"a:2:2":3,"a:3":4}]'

begin 'json: no rows are an empty array'
run 0 query "$L" 'SELECT * FROM records WHERE 0' --json
out_is '[]'

begin 'csv'
run 0 query "$L" "SELECT 'a,b' AS \"x,y\", 'q\"q' AS q, '' AS e, NULL AS n, x'0a' AS b, 'l' || char(10) || 'm' AS l" --format csv
out_is '"x,y",q,e,n,b,l
"a,b","q""q","",,0a,"l
m"'
run 0 query "$L" 'SELECT record_id FROM records WHERE 0' --format csv
out_is record_id

begin 'the tables of the documentation are there'
for columns in 'seq,id,resource,record_id,op,outcome,line FROM events' \
    'resource,record_id,payload,source,confidence,occurred_at,version,seq FROM records' \
    '* FROM cursors' '* FROM checkpoints' '* FROM meta'; do
    run 0 query "$L" "SELECT $columns"
done

begin 'an exact line is in events'
run 0 query "$L" 'SELECT line FROM events WHERE seq = 3' --json
if have jq; then
    same line "$(jq -r '.[0].line' "$T/out")" "$(grep '^{"seq":3,' "$S")"
fi

begin 'one statement, also with a semicolon, spaces and comments'
run 0 query "$L" "SELECT ';' AS s;"
run 0 query "$L" "SELECT 1; -- the end"
run 0 query "$L" "/* first */ SELECT ';;' AS \"a;b\" ;  "
run 0 query "$L" "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT sum(n) AS s FROM c" --json
out_is '[{"s":15}]'
run 0 query "$L" 'EXPLAIN QUERY PLAN SELECT * FROM records'

log_digest >"$T/before"
cksum "$L/store.db" >>"$T/before"
"$PARITYLOG" query "$L" 'SELECT * FROM records ORDER BY seq' --json >"$T/rows"
while IFS= read -r statement; do
    begin "refused: $statement"
    run 6 query "$L" "$statement" --json
    out_empty
    error_is SQL
done <<'END'
DELETE FROM records
DELETE FROM events
UPDATE events SET line = 'x'
INSERT INTO meta VALUES ('a', 'b')
REPLACE INTO meta VALUES ('a', 'b')
WITH x AS (SELECT 1) DELETE FROM events
WITH x AS (SELECT 1) INSERT INTO meta SELECT 1, 2
DROP TABLE events
CREATE TABLE t (a)
CREATE TEMP TABLE t (a)
CREATE VIEW v AS SELECT 1
CREATE TRIGGER g AFTER INSERT ON events BEGIN SELECT 1; END
ALTER TABLE events ADD COLUMN x
ATTACH DATABASE 'other.db' AS o
DETACH DATABASE main
VACUUM
VACUUM INTO 'copy.db'
REINDEX
ANALYZE
BEGIN
BEGIN IMMEDIATE
COMMIT
SAVEPOINT s
PRAGMA journal_mode=delete
PRAGMA user_version=7
PRAGMA writable_schema=1
PRAGMA wal_checkpoint(TRUNCATE)
SELECT load_extension('x')
SELECT 1; SELECT 2
SELECT 1; DELETE FROM events
SELECT * FROM no_such_table
SELECT
SELECT * FROM records WHERE
END

begin 'an empty statement is refused'
run 6 query "$L" ''
run 6 query "$L" ' -- nothing'

begin 'after all that log, keys, store and rows are as before'
log_digest >"$T/after"
cksum "$L/store.db" >>"$T/after"
files_equal "$T/before" "$T/after"
run 0 query "$L" 'SELECT * FROM records ORDER BY seq' --json
files_equal "$T/out" "$T/rows"
run 0 parity "$L"
[ ! -e other.db ] && [ ! -e copy.db ] || wrong 'a file was made'

begin 'an error in the middle leaves the array open'
run 6 query "$L" 'SELECT CASE WHEN seq < 5 THEN 1 ELSE abs(-9223372036854775808) END AS a FROM events ORDER BY seq' --json
! tail -c 3 "$T/out" | grep -q ']' || wrong 'the array is closed'

begin 'an interrupt ends a statement that gives no rows'
"$PARITYLOG" query "$L" 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c' --json >"$T/out" 2>"$T/err" &
pid=$!
# A script in its place is valgrind: that needs a while to start.
case $(head -c 2 "$PARITYLOG") in
'#!') sleep 15 ;;
*) sleep 1 ;;
esac
kill -TERM $pid
wait $pid
got=$?
status_is 130 'after SIGTERM'
out_empty
error_is INTERRUPTED

finish
