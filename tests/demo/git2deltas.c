/*
 * git2deltas.c - the history of a git repository as deltas.
 *
 *     git log --first-parent -m --raw --no-renames --no-abbrev -z --reverse \
 *         --root --format='commit %H %cd' --date=raw | git2deltas NAME
 *
 * Each changed path of each commit becomes one line on standard output:
 * resource `files`, record_id the path, payload blob, mode and commit; a
 * removed path is a delete.  Appended under strategy `arrival`, the records
 * end as `git ls-tree -r HEAD` says.
 *
 *     git ls-tree -r -z HEAD | git2deltas --tree
 *
 * passes a listing through with its paths spelled as record_id spells them.
 * Nearly always that changes nothing.  It does for
 *
 *   1. a path that is not UTF-8: what JSON cannot say, and every %, becomes
 *      %XX, the byte in hex digits;
 *   2. a path above 4,096 bytes: its middle becomes ~ and a hash of it all.
 *
 * The last line on standard error counts deltas, commits and such paths.
 * Exit status: 0 done, 1 the input is not what git prints, or input or output
 * failed, 2 usage.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

/* The limits of format 1, in bytes. */
#define ID_MAX 255
#define RECORD_ID_MAX 4096
/* What a shortened text keeps in front of the hash, and how long that is. */
#define HASH_LEN 17

struct text {
    char *data;
    size_t len;
    size_t room;
};

/* The commit that the changes at hand belong to. */
struct commit {
    char hash[65];
    char when[32];
};

struct counts {
    uintmax_t deltas;
    uintmax_t commits;
    uintmax_t escaped;
    uintmax_t shortened;
    uintmax_t odd_times;
};

static struct counts counts;

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "git2deltas: %s\n", why);
    exit(1);
}

/* ---- Texts ---------------------------------------------------------------*/

static void text_add(struct text *text, const char *data, size_t len)
{
    if (len > text->room - text->len) {
        size_t room = 2 * (text->len + len) + 64;
        char *grown = realloc(text->data, room);

        if (grown == NULL)
            die("out of memory");
        text->data = grown;
        text->room = room;
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

/*
 * The length of the UTF-8 sequence that `data` begins with; 0 when it is none
 * (too long a form, a surrogate, above U+10FFFF, cut off).
 */
static size_t utf8_len(const unsigned char *data, size_t len)
{
    size_t want = data[0] < 0x80   ? 1
                  : data[0] < 0xc2 ? 0
                  : data[0] < 0xe0 ? 2
                  : data[0] < 0xf0 ? 3
                  : data[0] < 0xf5 ? 4
                                   : 0;

    if (want > len)
        return 0;
    for (size_t i = 1; i < want; i++)
        if ((data[i] & 0xc0) != 0x80)
            return 0;
    if ((data[0] == 0xe0 && data[1] < 0xa0) ||
        (data[0] == 0xed && data[1] > 0x9f) ||
        (data[0] == 0xf0 && data[1] < 0x90) ||
        (data[0] == 0xf4 && data[1] > 0x8f))
        return 0;
    return want;
}

static bool utf8_valid(const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data;

    for (size_t i = 0, step; i < len; i += step) {
        step = utf8_len(p + i, len - i);
        if (step == 0)
            return false;
    }
    return true;
}

/* Puts the text there, with %XX for each % and for what is not UTF-8. */
static void add_escaped(struct text *to, const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *)data;

    for (size_t i = 0; i < len;) {
        size_t step = utf8_len(p + i, len - i);
        char hex[4];

        if (step > 0 && p[i] != '%') {
            text_add(to, data + i, step);
            i += step;
            continue;
        }
        snprintf(hex, sizeof hex, "%%%02X", p[i]);
        text_add(to, hex, 3);
        i++;
    }
}

/* FNV-1a, 64 bits: enough to keep the long paths of one commit apart. */
static uint64_t hash_of(const char *data, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3u;
    return hash;
}

/* Cuts a UTF-8 text to `limit` bytes, the last of them ~ and its hash. */
static bool shorten(struct text *text, size_t limit)
{
    char tail[HASH_LEN + 1];
    size_t keep = limit - HASH_LEN;

    if (text->len <= limit)
        return false;
    snprintf(tail, sizeof tail, "~%016" PRIx64, hash_of(text->data, text->len));
    while ((text->data[keep] & 0xc0) == 0x80)
        keep--;
    text->len = keep;
    text_add(text, tail, HASH_LEN);
    return true;
}

/* The path as record_id spells it. */
static void spell_path(struct text *to, const char *path, size_t len)
{
    to->len = 0;
    if (utf8_valid(path, len)) {
        text_add(to, path, len);
    } else {
        add_escaped(to, path, len);
        counts.escaped++;
    }
    if (shorten(to, RECORD_ID_MAX))
        counts.shortened++;
}

/* ---- JSON ----------------------------------------------------------------*/

static void put_json(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
}

static void put_delta(const struct commit *commit, const char *source,
                      const struct text *path, const char *mode,
                      const char *blob, bool removed)
{
    static struct text id;

    id.len = 0;
    text_add(&id, commit->hash, 20);
    text_add(&id, ":", 1);
    text_add(&id, path->data, path->len);
    shorten(&id, ID_MAX);

    fputs("{\"id\":\"", stdout);
    put_json(id.data, id.len);
    fputs("\",\"resource\":\"files\",\"record_id\":\"", stdout);
    put_json(path->data, path->len);
    if (removed)
        fputs("\",\"op\":\"delete\",\"payload\":null", stdout);
    else
        printf("\",\"op\":\"upsert\",\"payload\":{\"blob\":\"%s\","
               "\"mode\":\"%s\",\"commit\":\"%s\"}",
               blob, mode, commit->hash);
    printf(",\"occurred_at\":\"%s\",\"provenance\":{\"source\":\"%s\","
           "\"confidence\":1.0}}\n",
           commit->when, source);
    counts.deltas++;
}

/* The source, ready for JSON: git:NAME within 255 bytes. */
static char *make_source(const char *name)
{
    struct text text = {0}, json = {0};

    text_add(&text, "git:", 4);
    if (utf8_valid(name, strlen(name)))
        text_add(&text, name, strlen(name));
    else
        add_escaped(&text, name, strlen(name));
    shorten(&text, ID_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char escape[8];
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\' || c < 0x20)
            text_add(&json, escape,
                     (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        else
            text_add(&json, text.data + i, 1);
    }
    text_add(&json, "", 1);
    free(text.data);
    return json.data;
}

/* ---- What git prints -----------------------------------------------------*/

/* Reads up to the next NUL; false at the end. */
static bool next_token(char **token, size_t *room, size_t *len)
{
    ssize_t got = getdelim(token, room, '\0', stdin);

    if (got < 0) {
        if (ferror(stdin))
            die("cannot read standard input");
        return false;
    }
    if ((*token)[got - 1] != '\0')
        die("the input ends within a line; is it from git ... -z?");
    *len = (size_t)got - 1;
    return true;
}

static bool is_hex(const char *text, size_t len)
{
    return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") >= len;
}

/*
 * Seconds since 1970 and an offset such as +0130, in RFC 3339.  What that
 * cannot say (git accepts any number) becomes 1970 or +00:00.
 */
static void set_time(struct commit *commit, intmax_t seconds, int zone)
{
    int minutes = zone / 100 * 60 + zone % 100;
    time_t local;
    struct tm tm;

    if (abs(zone) / 100 > 23 || abs(zone) % 100 > 59) {
        counts.odd_times++;
        minutes = 0;
    }
    local = (time_t)(seconds + minutes * 60);
    /* The years 1 to 9998, so that the offset may go either way. */
    if (seconds < -62135510400 || seconds > 253370764799 ||
        gmtime_r(&local, &tm) == NULL) {
        counts.odd_times++;
        local = minutes * 60;
        gmtime_r(&local, &tm);
    }
    snprintf(commit->when, sizeof commit->when,
             "%04u-%02u-%02uT%02u:%02u:%02u%c%02u:%02u",
             (unsigned)(tm.tm_year + 1900) % 10000u,
             (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u,
             (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
             (unsigned)tm.tm_sec % 100u, minutes < 0 ? '-' : '+',
             (unsigned)(abs(minutes) / 60) % 100u,
             (unsigned)(abs(minutes) % 60) % 100u);
}

/* commit HASH SECONDS ZONE */
static void read_commit(struct commit *commit, const char *token)
{
    size_t len;
    char *end;
    intmax_t seconds;

    if (strncmp(token, "commit ", 7) != 0)
        die("a commit line was expected");
    token += 7;
    len = strcspn(token, " ");
    if (!is_hex(token, len))
        die("a commit line has no hash");
    memcpy(commit->hash, token, len);
    commit->hash[len] = '\0';
    seconds = strtoimax(token + len, &end, 10);
    if (end == token + len)
        die("a commit line has no time");
    set_time(commit, seconds, (int)strtol(end, NULL, 10));
    counts.commits++;
}

/* Splits `:OLDMODE MODE OLDBLOB BLOB STATUS` in place. */
static void read_change(char *token, char **mode, char **blob, bool *removed)
{
    char *word[5];

    for (int i = 0; i < 5; i++) {
        word[i] = strsep(&token, " ");
        if (word[i] == NULL)
            die("a change has too few fields");
    }
    if (token != NULL || word[0][0] != ':' || word[0][1] == ':' ||
        strlen(word[1]) != 6 || !is_hex(word[3], strlen(word[3])))
        die("a change is not what git --raw -m --no-abbrev prints");
    if (strchr("AMTD", word[4][0]) == NULL || strlen(word[4]) != 1)
        die("a change is neither A, M, T nor D; use --no-renames");
    *mode = word[1];
    *blob = word[3];
    *removed = word[4][0] == 'D';
}

static void convert_log(const char *source)
{
    struct commit commit = {0};
    struct text path = {0};
    char *token = NULL, *name = NULL;
    size_t room = 0, name_room = 0, len, name_len;

    while (next_token(&token, &room, &len)) {
        char *line = token + (token[0] == '\n');
        char *mode, *blob;
        bool removed;

        if (line[0] == '\0')
            continue;
        if (line[0] != ':') {
            read_commit(&commit, line);
            continue;
        }
        if (commit.hash[0] == '\0')
            die("a change stands before the first commit");
        read_change(line, &mode, &blob, &removed);
        if (!next_token(&name, &name_room, &name_len) || name_len == 0)
            die("a change has no path");
        spell_path(&path, name, name_len);
        put_delta(&commit, source, &path, mode, blob, removed);
    }
    free(path.data);
    free(token);
    free(name);
}

/* MODE TYPE BLOB<tab>PATH */
static void convert_tree(void)
{
    struct text path = {0};
    char *token = NULL;
    size_t room = 0, len;

    while (next_token(&token, &room, &len)) {
        size_t front = strcspn(token, "\t") + 1;

        if (front >= len)
            die("a line of the listing has no path");
        spell_path(&path, token + front, len - front);
        fwrite(token, 1, front, stdout);
        fwrite(path.data, 1, path.len, stdout);
        putchar('\0');
    }
    free(path.data);
    free(token);
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '\0') {
        fputs("usage: git log ... | git2deltas NAME\n"
              "       git ls-tree -r -z HEAD | git2deltas --tree\n",
              stderr);
        return 2;
    }
    if (strcmp(argv[1], "--tree") == 0) {
        convert_tree();
    } else {
        char *source = make_source(argv[1]);

        convert_log(source);
        free(source);
        fprintf(stderr,
                "%ju deltas, %ju commits, %ju paths escaped, "
                "%ju paths shortened, %ju odd times\n",
                counts.deltas, counts.commits, counts.escaped, counts.shortened,
                counts.odd_times);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write standard output");
    return 0;
}
