/*
 * test_control.c - which arguments of control entries are taken, and which are
 * damage: every member missing, doubled, misplaced, of another kind, out of
 * its range.
 *
 * No damaged disk comes here, for the group's root would not fit any more: it
 * takes somebody with the key, or a later version.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "compaction.h"
#include "heap.h"
#include "redact.h"

#define TEXT 4096

static struct plog_buf scratch;

static int check(enum plog_control control, uint64_t seq, const char *args)
{
    struct plog_entry e = {
        .seq = seq, .control = control, .args = plog_span_text(args)};
    return plog_control_check(&e, &scratch);
}

static void all_corrupt(enum plog_control control, uint64_t seq,
                        const char *const *bad, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!CHECK_INT(check(control, seq, bad[i]), PLOG_E_CORRUPT))
            printf("# %s\n", bad[i]);
}
#define ALL_CORRUPT(control, seq, bad)                                         \
    all_corrupt(control, seq, bad, sizeof bad / sizeof *bad)

/* `text` with the first `what` replaced. */
static const char *with(const char *text, const char *what, const char *by)
{
    static char out[4][TEXT];
    static int next;
    char *to = out[next++ % 4];
    const char *at = strstr(text, what);
    if (!CHECK(at != NULL))
        return text;
    CHECK(snprintf(to, TEXT, "%.*s%s%s", (int)(at - text), text, by,
                   at + strlen(what)) < TEXT);
    return to;
}

static void corrupt_with(enum plog_control control, uint64_t seq,
                         const char *text, const char *what, const char *by)
{
    if (!CHECK_INT(check(control, seq, with(text, what, by)), PLOG_E_CORRUPT))
        printf("# %s -> %s\n", what, by);
}

/* ---- Rules, cursors, peers ---------------------------------------------- */

static void rules(void)
{
    static const char *const strategies[] = {
        "{}",
        "[]",
        "{\"strategy\":\"\"}",
        "{\"strategy\":\"x\"}",
        "{\"strategy\":7}",
        "{\"strategy\":777}",
        "{\"strategy\":null}",
        "{\"strategi\":\"arrival\"}",
        "{\"strategy\":\"arrival\",\"more\":1}",
        "{\"strategy\":\"a-name-of-more-than-thirty-one-bytes\"}",
    };
    static const char *const inits[] = {
        "{\"strategy\":\"arrival\",\"max_line\":100}",
        "{\"strategy\":\"x\",\"max_line\":100,\"segment_size\":1}",
        "{\"strategy\":\"arrival\",\"max_line\":0,\"segment_size\":1}",
        "{\"strategy\":\"arrival\",\"max_line\":\"1\",\"segment_size\":1}",
        "{\"strategy\":\"arrival\",\"max_line\":100,\"segment_size\":0}",
        "{\"strategy\":\"arrival\",\"max_line\":100,\"segment_size\":-1}",
        "{\"max_line\":100,\"strategy\":\"arrival\",\"segment_size\":1}",
        ("{\"strategy\":\"arrival\",\"max_line\":100,\"segment_size\":1,"
         "\"x\":1}"),
    };
    char text[200];
    CHECK_INT(check(PLOG_CONTROL_NONE, 1, "?"), 0);
    CHECK_INT(check((enum plog_control)99, 1, "{}"), PLOG_E_FORMAT);
    CHECK_INT(check(PLOG_CONTROL_STRATEGY, 2, "{\"strategy\":\"arrival\"}"), 0);
    ALL_CORRUPT(PLOG_CONTROL_STRATEGY, 2, strategies);
    ALL_CORRUPT(PLOG_CONTROL_INIT, 1, inits);
    for (int more = 0; more < 2; more++) {
        snprintf(text, sizeof text,
                 "{\"strategy\":\"arrival\",\"max_line\":%llu,"
                 "\"segment_size\":1}",
                 (unsigned long long)PLOG_LINE_MAX + (unsigned)more);
        CHECK_INT(check(PLOG_CONTROL_INIT, 1, text), more ? PLOG_E_CORRUPT : 0);
    }
}

static void cursors(void)
{
    static const char *const bad[] = {
        "{\"source\":\"s\",\"resource\":\"r\"}",
        "{\"source\":1,\"resource\":\"r\",\"cursor\":\"c\"}",
        "{\"source\":\"s\",\"resource\":[],\"cursor\":\"c\"}",
        "{\"source\":\"s\",\"resource\":\"r\",\"cursor\":null}",
        "{\"source\":\"s\",\"resource\":\"r\",\"cursor\":\"c\",\"x\":\"\"}",
    };
    struct plog_cursor c;
    CHECK_INT(plog_cursor_args_parse(
                  plog_span_text("{\"source\":\"a\\nb\",\"resource\":\"*\","
                                 "\"cursor\":\"\\\"\"}"),
                  &scratch, &c),
              0);
    CHECK_BYTES(c.source.p, c.source.n, "a\nb", 3);
    CHECK_BYTES(c.resource.p, c.resource.n, "*", 1);
    CHECK_BYTES(c.cursor.p, c.cursor.n, "\"", 1);
    ALL_CORRUPT(PLOG_CONTROL_CURSOR, 5, bad);
}

/* Bytes of source, resource and cursor: the least and the most, and one beside
 * them.  FORMAT.md has the numbers, so they stand here as it says them. */
static void cursor_lengths(void)
{
    static const struct {
        int source, resource, cursor, code;
    } rows[] = {
        {1, 1, 0, 0},
        {255, 255, 4096, 0},
        {0, 1, 1, PLOG_E_CORRUPT},
        {1, 0, 1, PLOG_E_CORRUPT},
        {256, 1, 1, PLOG_E_CORRUPT},
        {1, 256, 1, PLOG_E_CORRUPT},
        {1, 1, 4097, PLOG_E_CORRUPT},
    };
    static char text[5000], a[4097];
    memset(a, 'a', sizeof a);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text,
                 "{\"source\":\"%.*s\",\"resource\":\"%.*s\","
                 "\"cursor\":\"%.*s\"}",
                 rows[i].source, a, rows[i].resource, a, rows[i].cursor, a);
        CHECK_INT(check(PLOG_CONTROL_CURSOR, 5, text), rows[i].code);
    }
}

static void peers(void)
{
    static const char *const adds[] = {
        "{}",
        "{\"name\":\"\"}",
        "{\"name\":1}",
        "{\"name\":\"p\",\"seq\":1,\"reason\":\"x\"}",
    };
    static const char *const evicts[] = {
        "{\"name\":\"p\"}",
        "{\"name\":\"p\",\"seq\":\"1\",\"reason\":\"x\"}",
        "{\"name\":\"p\",\"seq\":1,\"reason\":\"\"}",
        "{\"name\":\"p\",\"seq\":1,\"reason\":1}",
        "{\"name\":\"\",\"seq\":1,\"reason\":\"x\"}",
        "{\"name\":\"p\",\"seq\":1,\"reason\":\"x\",\"more\":1}",
    };
    static const char *const rewinds[] = {
        "{\"name\":\"p\"}",
        "{\"name\":\"p\",\"seq\":\"1\"}",
        "{\"name\":\"\",\"seq\":1}",
        "{\"name\":\"p\",\"seq\":1,\"reason\":\"x\"}",
    };
    static const char good[] = "{\"name\":\"p\",\"seq\":1,\"reason\":\"x\"}";
    char text[PLOG_NAME_MAX + 20];
    CHECK_INT(check(PLOG_CONTROL_PEER_ADD, 5, "{\"name\":\"p\"}"), 0);
    CHECK_INT(check(PLOG_CONTROL_PEER_EVICT, 5, good), 0);
    ALL_CORRUPT(PLOG_CONTROL_PEER_ADD, 5, adds);
    ALL_CORRUPT(PLOG_CONTROL_PEER_EVICT, 5, evicts);
    CHECK_INT(check(PLOG_CONTROL_PEER_REWIND, 5, "{\"name\":\"p\",\"seq\":0}"),
              0);
    ALL_CORRUPT(PLOG_CONTROL_PEER_REWIND, 5, rewinds);
    for (int n = PLOG_NAME_MAX; n <= PLOG_NAME_MAX + 1; n++) {
        snprintf(text, sizeof text, "{\"name\":\"%0*d\"}", n, 7);
        CHECK_INT(check(PLOG_CONTROL_PEER_ADD, 5, text),
                  n > PLOG_NAME_MAX ? PLOG_E_CORRUPT : 0);
    }
}

/* ---- Rotations ---------------------------------------------------------- */

static struct plog_signer old_signer, new_signer;
static const unsigned char root[PLOG_HASH_SIZE] = {1};

static void make_signers(const char *new_name)
{
    const struct plog_io *io = plog_io_posix();
    CHECK_INT(plog_signer_generate(&old_signer, io, "old.example", NULL), 0);
    CHECK_INT(plog_signer_generate(&new_signer, io, new_name, NULL), 0);
}

static void free_signers(void)
{
    plog_signer_fini(&old_signer);
    plog_signer_fini(&new_signer);
}

static const char *rotation(uint64_t size, bool restores)
{
    static char text[TEXT];
    struct plog_buf b;
    plog_buf_init(&b, plog_io_posix());
    CHECK_INT(
        restores
            ? plog_restore_make(&b, size, root, &old_signer.vkey, &new_signer)
            : plog_rotation_make(&b, size, root, &old_signer, &new_signer),
        0);
    snprintf(text, sizeof text, "%.*s", (int)b.len, b.data);
    plog_buf_fini(&b);
    return text;
}

static void rotations(void)
{
    static const struct {
        const char *what, *by;
    } bad[] = {
        {"\"size\":7", "\"size\":\"7\""},
        {"\"size\":7", "\"size\":8"},
        {"\"size\":7", "\"size\":6"},
        {"\"size\"", "\"sise\""},
        {"\"root\":\"", "\"root\":\"A"},
        {"\"root\":\"AQ", "\"root\":\"?Q"},
        {"\"old\":\"old", "\"old\":7,\"x\":\"old"},
        {"\"old\":\"old", "\"old\":\"\\u006fld"},
        {"\"old\":\"old.", "\"old\":\"ol+."},
        {"}", ",\"more\":1}"},
        {"\"new\":\"", "\"new\":\"+"},
        {"sig\":\"", "sig\":\"A"},
    };
    for (int restores = 0; restores < 2; restores++) {
        enum plog_control control =
            restores ? PLOG_CONTROL_RESTORE : PLOG_CONTROL_ROTATE;
        uint64_t seq = restores ? 8 : 7;
        make_signers(restores ? "new.example" : "old.example");
        const char *good = rotation(7, restores);
        CHECK_INT(check(control, seq, good), 0);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            corrupt_with(control, seq, good, bad[i].what, bad[i].by);
        CHECK_INT(
            check(control, seq, with(good, "\"root\":\"AQ", "\"root\":\"BQ")),
            PLOG_E_TAMPERED);
        free_signers();
        make_signers(restores ? "old.example" : "new.example");
        CHECK_INT(check(control, seq, rotation(7, restores)),
                  PLOG_E_CORRUPT); /* a restored log has another name */
        free_signers();
    }
}

/* ---- Compactions -------------------------------------------------------- */

#define HASH "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
#define RULES "\"strategy\":\"arrival\",\"max_line\":100,\"segment_size\":50,"
#define COMPACT                                                                \
    "{\"from\":0,\"to\":7,\"root\":" HASH                                      \
    ",\"archive\":true,\"snapshot\":" HASH "," RULES                           \
    "\"peers\":[{\"name\":\"p\",\"seq\":7,\"root\":" HASH                      \
    "},{\"name\":\"q\",\"seq\":9}],\"rotations\":[]}"
#define UNDONE                                                                 \
    "{\"from\":7,\"to\":0,\"root\":" HASH                                      \
    ",\"archive\":true,\"snapshot\":null," RULES                               \
    "\"peers\":[],\"rotations\":[]}"

static void compactions(void)
{
    static const struct {
        const char *what, *by;
    } bad[] = {
        {"\"from\":0", "\"from\":\"0\""},
        {"\"from\":0", "\"from\":7"},
        {"\"from\":0", "\"from\":12"},
        {"\"from\":0", "\"fron\":0"},
        {"\"to\":7", "\"to\":[]"},
        {"\"to\":7", "\"to\":0"},
        {"\"to\":7", "\"to\":12"},
        {"\"to\":7", "\"to\":8"}, /* beyond the cursor of p */
        {"\"root\":" HASH, "\"root\":7"},
        {"\"root\":\"A", "\"root\":\"?"},
        {"\"archive\":true", "\"archive\":1"},
        {"\"archive\":true", "\"archive\":null"},
        {"\"snapshot\":" HASH, "\"snapshot\":null"},
        {"\"snapshot\":\"A", "\"snapshot\":\"AA"},
        {"\"snapshot\":" HASH, "\"snapshot\":1"},
        {"\"arrival\"", "\"unknown\""},
        {"\"arrival\"", "1"},
        {"\"arrival\"", "\"a-name-of-more-than-thirty-one-bytes\""},
        {"\"max_line\":100", "\"max_line\":0"},
        {"\"max_line\":100", "\"max_line\":99999999999"},
        {"\"max_line\":100", "\"max_line\":-1"},
        {"\"segment_size\":50", "\"segment_size\":0"},
        {"\"segment_size\":50", "\"segment_size\":null"},
        {"\"peers\":[", "\"peers\":{\"x\":["},
        {"\"peers\":[{", "\"peers\":[1,{"},
        {"\"peers\":[{", "\"peers\":[{\"x\":1,"},
        {"\"name\":\"p\"", "\"name\":\"\""},
        {"\"name\":\"p\"", "\"name\":1"},
        {"\"seq\":7", "\"seq\":\"7\""},
        {"\"seq\":7", "\"seq\":6"},
        {"\"seq\":9}", "\"seq\":6}"},
        {"\"seq\":9}", "\"seq\":9,\"root\":1}"},
        {"\"seq\":9}", "\"seq\":9,\"root\":" HASH ",\"x\":1}"},
        {",\"seq\":9}", "}"},
        {"\"rotations\":[]", "\"rotations\":null"},
        {"\"rotations\":[]", "\"rotations\":[7]"},
        {"\"rotations\":[]", "\"rotations\":[{}]"},
        {"\"rotations\":[]", "\"rotations\":[{\"seq\":3}]"},
        {"\"rotations\":[]", "\"rotations\":[{\"seq\":\"3\",\"rotate\":{}}]"},
        {"\"rotations\":[]", "\"rotations\":[{\"seq\":3,\"rotate\":{}}]"},
        {"\"rotations\":[]", "\"rotations\":[{\"seq\":3,\"restore\":{}}]"},
        {"\"rotations\":[]", "\"rotations\":[{\"seq\":\"3\",\"restore\":{}}]"},
        {"\"rotations\":[]}", "\"rotations\":[],\"more\":1}"},
        {",\"rotations\":[]", ""},
    };
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 12, COMPACT), 0);
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 12,
                    with(COMPACT, "\"archive\":true", "\"archive\":false")),
              0);
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 8, COMPACT), 0);
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 7, COMPACT), PLOG_E_CORRUPT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        corrupt_with(PLOG_CONTROL_COMPACT, 12, COMPACT, bad[i].what, bad[i].by);
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 12, UNDONE), 0);
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 7, UNDONE), PLOG_E_CORRUPT);
    corrupt_with(PLOG_CONTROL_COMPACT, 12, UNDONE, "null", HASH);
    corrupt_with(PLOG_CONTROL_COMPACT, 12, UNDONE, "\"peers\":[]",
                 "\"peers\":{}");
    corrupt_with(PLOG_CONTROL_COMPACT, 12, UNDONE, "\"peers\":[]",
                 "\"peers\":null");
    corrupt_with(PLOG_CONTROL_COMPACT, 12, UNDONE, "null", "true");
    /* A cut that nobody's cursor allowed; an undo needs none. */
    char text[TEXT];
    snprintf(text, sizeof text, "%s", COMPACT);
    strcpy(strstr(text, "[{"), "[],\"rotations\":[]}");
    CHECK_INT(check(PLOG_CONTROL_COMPACT, 12, text), PLOG_E_CORRUPT);
    for (int n = PLOG_NAME_MAX; n <= PLOG_NAME_MAX + 1; n++) {
        snprintf(text, sizeof text, "\"name\":\"%0*d\"", n, 7);
        CHECK_INT(check(PLOG_CONTROL_COMPACT, 12,
                        with(COMPACT, "\"name\":\"p\"", text)),
                  n > PLOG_NAME_MAX ? PLOG_E_CORRUPT : 0);
    }
}

/* Rotations below the floor are kept in the entry, in order. */
static void kept_rotations(void)
{
    char first[TEXT], text[2 * TEXT], both[3 * TEXT];
    struct plog_entry e = {.seq = 12, .control = PLOG_CONTROL_COMPACT};
    struct plog_compaction c;
    struct plog_keychain keys;
    make_signers("old.example");
    snprintf(first, sizeof first, "{\"seq\":4,\"rotate\":%s}",
             rotation(4, false));
    snprintf(text, sizeof text, "\"rotations\":[%s]", first);
    e.args = plog_span_text(with(COMPACT, "\"rotations\":[]", text));
    CHECK_INT(plog_compaction_parse(&e, plog_io_posix(), &c), 0);
    CHECK_INT(plog_compaction_keys(&c, 7, &keys), 0);
    CHECK_UINT(keys.count, 2);
    CHECK(plog_vkey_same(plog_keychain_at(&keys, 4), &old_signer.vkey));
    CHECK(plog_vkey_same(plog_keychain_at(&keys, 5), &new_signer.vkey));
    CHECK_INT(plog_compaction_keys(&c, 4, &keys), 0);
    CHECK_UINT(keys.count, 2);
    CHECK_INT(plog_compaction_keys(&c, 3, &keys), 0);
    CHECK_UINT(keys.count, 0);
    /* And a second one, from the key that the first went over to. */
    struct plog_signer third, was_old = old_signer;
    CHECK_INT(
        plog_signer_generate(&third, plog_io_posix(), "old.example", NULL), 0);
    old_signer = new_signer;
    new_signer = third;
    snprintf(both, sizeof both, "\"rotations\":[%s,{\"seq\":6,\"rotate\":%s}]",
             first, rotation(6, false));
    e.args = plog_span_text(with(COMPACT, "\"rotations\":[]", both));
    CHECK_INT(plog_compaction_parse(&e, plog_io_posix(), &c), 0);
    CHECK_INT(plog_compaction_keys(&c, 7, &keys), 0);
    CHECK_UINT(keys.count, 3);
    CHECK(plog_vkey_same(plog_keychain_at(&keys, 6), &old_signer.vkey));
    CHECK(plog_vkey_same(plog_keychain_at(&keys, 7), &third.vkey));
    CHECK_INT(plog_compaction_keys(&c, 5, &keys), 0);
    CHECK_UINT(keys.count, 2);
    new_signer = old_signer;
    old_signer = was_old;
    plog_signer_fini(&third);
    /* Twice the same; one above the floor. */
    snprintf(both, sizeof both, "\"rotations\":[%s,%s]", first, first);
    corrupt_with(PLOG_CONTROL_COMPACT, 12, COMPACT, "\"rotations\":[]", both);
    /* An array that reads like an object. */
    snprintf(text, sizeof text, "\"rotations\":[[\"seq\",4,\"rotate\",%s]]",
             rotation(4, false));
    corrupt_with(PLOG_CONTROL_COMPACT, 12, COMPACT, "\"rotations\":[]", text);
    snprintf(text, sizeof text, "\"rotations\":[{\"seq\":8,\"rotate\":%s}]",
             rotation(8, false));
    corrupt_with(PLOG_CONTROL_COMPACT, 12, COMPACT, "\"rotations\":[]", text);
    free_signers();
}

/* ---- Orders ------------------------------------------------------------- */

static void orders(void)
{
    static const char good[] =
        "{\"seq\":3,\"leaf\":" HASH ",\"line\":" HASH ",\"reason\":\"asked\"}";
    static const struct {
        const char *what, *by;
    } bad[] = {
        {"\"seq\":3", "\"seq\":\"3\""},
        {"\"seq\":3", "\"seq\":0"},
        {"\"seq\":3", "\"seq\":9"},
        {"\"seq\":3", "\"sec\":3"},
        {"\"leaf\":\"A", "\"leaf\":\"?"},
        {"\"leaf\":\"A", "\"leaf\":\"AA"},
        {"\"line\":\"A", "\"line\":\"?"},
        {"\"line\":" HASH, "\"line\":1"},
        {"\"asked\"", "1"},
        {"\"asked\"", "\"\""},
        {"\"asked\"}", "\"asked\",\"more\":1}"},
        {",\"reason\":\"asked\"", ""},
    };
    CHECK_INT(check(PLOG_CONTROL_REDACT, 9, good), 0);
    CHECK_INT(check(PLOG_CONTROL_REDACT, 4, good), 0);
    CHECK_INT(check(PLOG_CONTROL_REDACT, 3, good), PLOG_E_CORRUPT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        corrupt_with(PLOG_CONTROL_REDACT, 9, good, bad[i].what, bad[i].by);
}

/* ---- Memory ------------------------------------------------------------- */

/* What unescapes needs room, and says so when there is none. */
static void no_memory(void)
{
    struct heap h;
    struct plog_entry e = {.seq = 12};
    static const struct {
        enum plog_control control;
        const char *args;
    } all[] = {
        {PLOG_CONTROL_CURSOR,
         "{\"source\":\"s\",\"resource\":\"r\",\"cursor\":\"c\"}"},
        {PLOG_CONTROL_PEER_ADD, "{\"name\":\"p\"}"},
        {PLOG_CONTROL_PEER_EVICT,
         "{\"name\":\"p\",\"seq\":1,\"reason\":\"x\"}"},
        {PLOG_CONTROL_COMPACT, COMPACT},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct plog_buf b;
        heap_init(&h);
        plog_buf_init(&b, &h.io);
        e.control = all[i].control;
        e.args = plog_span_text(all[i].args);
        heap_fail(&h, 1, false);
        CHECK_INT(plog_control_check(&e, &b), PLOG_E_NOMEM);
        heap_fail(&h, 0, false);
        CHECK_INT(plog_control_check(&e, &b), 0);
        plog_buf_fini(&b);
        CHECK_UINT(h.live, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"rules", rules},
        {"cursors", cursors},
        {"cursor lengths", cursor_lengths},
        {"peers", peers},
        {"rotations", rotations},
        {"compactions", compactions},
        {"kept rotations", kept_rotations},
        {"orders", orders},
        {"no memory", no_memory},
    };
    plog_buf_init(&scratch, plog_io_posix());
    int status = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    plog_buf_fini(&scratch);
    return status;
}
