/* fuzz_statement.c - see fuzz_statement.h. */
#include "fuzz_statement.h"

static const char *const statements[] = {
    "UPDATE state SET version=version+1 WHERE record_id='1'",
    "UPDATE state SET payload_at=payload_at+1",
    "UPDATE state SET payload_len=-1",
    "UPDATE state SET merged='{}'",
    "UPDATE state SET last=9000000000000000000",
    "UPDATE state SET confidence=-0.0",
    "UPDATE state SET nanos=2000000000",
    "UPDATE state SET origin=NULL",
    "DELETE FROM state",
    "INSERT INTO state SELECT resource,'x',seq,last,version,seconds,nanos,"
    "confidence,origin,origin_seq,payload_at,payload_len,merged FROM state",
    "UPDATE events SET line=replace(line,'1','2') WHERE seq=3",
    "UPDATE events SET line=line||char(0) WHERE seq=2",
    "UPDATE events SET line=CAST(x'ff' AS TEXT)",
    "UPDATE events SET previous=NULL",
    "UPDATE events SET previous=seq",
    "UPDATE events SET previous=99 WHERE seq=6",
    "UPDATE events SET id='zz' WHERE seq=2",
    "UPDATE events SET seq=seq+100 WHERE seq>5",
    "UPDATE events SET outcome='skipped'",
    "DELETE FROM events WHERE seq=3",
    "INSERT INTO events VALUES(-5,NULL,NULL,NULL,NULL,NULL,NULL,'{}')",
    "UPDATE meta SET size=size+1",
    "UPDATE meta SET size=0",
    "UPDATE meta SET root=x'00'",
    "UPDATE meta SET range=zeroblob(32)",
    "UPDATE meta SET key='00000000'",
    "UPDATE meta SET sig=zeroblob(64)",
    "UPDATE meta SET offset=offset-1",
    "UPDATE meta SET segment=77",
    "UPDATE meta SET segment=size+1",
    "UPDATE meta SET base=4",
    "UPDATE meta SET floor=3",
    "UPDATE meta SET strategy='arrival'",
    "UPDATE meta SET origin='o'",
    "UPDATE meta SET redactions=0",
    "UPDATE checkpoints SET line=''",
    "DELETE FROM checkpoints WHERE size=3",
    "UPDATE checkpoints SET size=size+1 WHERE size=9",
    "INSERT INTO checkpoints VALUES(4,'x')",
    "INSERT INTO segments VALUES(4)",
    "INSERT INTO rotations VALUES(4)",
    "DELETE FROM redactions",
    "UPDATE redactions SET target=2",
    "INSERT INTO redactions VALUES(5,2,0)",
    "INSERT INTO cursors VALUES('s','r','c',9)",
    "UPDATE cursors SET cursor='x'",
    "UPDATE cursors SET seq=1",
    "INSERT INTO peers VALUES('q',1,0,NULL,NULL)",
    "UPDATE peers SET cursor=3",
    "INSERT INTO compactions VALUES(5,2,0)",
    "INSERT INTO old_ids VALUES(zeroblob(32),1,zeroblob(32),NULL)",
    "INSERT INTO base_state SELECT * FROM state",
    "INSERT INTO state_recent SELECT * FROM state WHERE record_id='3'",
    "INSERT INTO state_recent SELECT resource,record_id,seq,9,version,seconds,"
    "nanos,confidence,origin,origin_seq,payload_at,payload_len,merged FROM "
    "state",
    "CREATE TABLE mine(a)",
    "CREATE INDEX mine ON events(line)",
    "CREATE TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END",
    "CREATE VIEW v AS SELECT * FROM events",
    "DROP INDEX events_id",
    "DROP VIEW records",
    "PRAGMA user_version=9",
    "PRAGMA application_id=1",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA encoding='UTF-16'",
    "VACUUM",
    "PRAGMA writable_schema=1;UPDATE sqlite_schema SET rootpage=3 WHERE "
    "name='state'",
    "PRAGMA writable_schema=1;UPDATE sqlite_schema SET sql=replace(sql,"
    "'STRICT','')",
    "PRAGMA writable_schema=1;DELETE FROM sqlite_schema WHERE name='records'",
    "PRAGMA writable_schema=1;UPDATE sqlite_schema SET rootpage=rootpage+1",
};

size_t fuzz_statement(char out[256], uint64_t *random)
{
    const char *sql =
        statements[fuzz_below(random, sizeof statements / sizeof *statements)];
    size_t n = strlen(sql), i = fuzz_below(random, 2 * n);
    MUST(n < 256);
    memcpy(out, sql, n);
    while (i < n && (out[i] < '0' || out[i] > '9'))
        i++;
    if (i < n)
        out[i] = (char)('0' + fuzz_below(random, 10));
    return n;
}
