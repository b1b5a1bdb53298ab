/*
 * line.c - any bytes to the readers of one line of the log.
 *
 * What they take, written again, gives the same bytes: an entry with its
 * arguments, a commit, a header.  At most one of them takes a line, and the
 * one that its beginning names.
 */
#include "compaction.h"
#include "fuzz_lines.h"
#include "line.h"
#include "redact.h"
#include "rotate.h"

static struct plog_entry_parser parser, second;
static struct plog_buf again, args, scratch;
static struct plog_signer signer;

static void check_delta(const struct plog_entry *e, struct plog_span line)
{
    const struct plog_delta *d = &e->delta;
    const struct plog_span own[] = {d->id,          d->resource,   d->record_id,
                                    d->op,          d->provenance, d->meta,
                                    d->occurred_at, e->merged,     e->salt};
    size_t at = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        MUST(fuzz_inside(own[i], line));
    MUST(d->resource_text.n >= 1 && d->resource_text.n <= PLOG_NAME_MAX);
    MUST(d->record_id_text.n >= 1 && d->record_id_text.n <= PLOG_RECORD_ID_MAX);
    MUST(d->source_text.n >= 1 && d->source_text.n <= PLOG_NAME_MAX);
    MUST(!d->id.n || (d->id_text.n >= 1 && d->id_text.n <= PLOG_NAME_MAX));
    MUST(d->confidence >= 0 && d->confidence <= 1);
    MUST(plog_line_is_redacted(line) == e->redacted);
    if (e->redacted)
        MUST(!plog_redacted_format(&again, e, e->leaf));
    else {
        MUST(!plog_entry_format(&again, e, &at));
        MUST(at + d->payload.n <= again.len &&
             !memcmp(again.data + at, d->payload.p, d->payload.n));
    }
}

/* Arguments that are ours are spelled in one way, but for the escapes in the
 * texts of peers and cursors, which readers take as they are. */
static void check_args(const struct plog_entry *e)
{
    struct plog_init_args init;
    enum plog_strategy strategy;
    struct plog_peer_args peer;
    struct plog_cursor cursor;
    struct plog_compaction compaction;
    bool escaped = memchr(e->args.p, '\\', e->args.n) != NULL;
    args.len = 0;
    if (plog_control_check(e, &scratch))
        return;
    switch (e->control) {
    case PLOG_CONTROL_INIT:
        MUST(!plog_init_args_parse(e->args, &init) &&
             !plog_init_args_format(&args, &init));
        break;
    case PLOG_CONTROL_STRATEGY:
        MUST(!plog_strategy_args_parse(e->args, &strategy) &&
             !plog_strategy_args_format(&args, strategy));
        break;
    case PLOG_CONTROL_PEER_ADD:
    case PLOG_CONTROL_PEER_EVICT:
    case PLOG_CONTROL_PEER_REWIND:
        MUST(!plog_peer_args_parse(e, &scratch, &peer) &&
             !plog_peer_args_format(&args, e->control, &peer));
        break;
    case PLOG_CONTROL_CURSOR:
        MUST(!plog_cursor_args_parse(e->args, &scratch, &cursor) &&
             !plog_cursor_args_format(&args, &cursor));
        break;
    case PLOG_CONTROL_COMPACT:
        escaped = false;
        MUST(!plog_compaction_parse(e, fuzz_memory(), &compaction) &&
             !plog_compaction_format(&args, &compaction));
        break;
    default: /* signed inside, or of a text with a reason */
        return;
    }
    MUST(escaped || plog_span_equal(fuzz_span(&args), e->args));
}

/* What an entry says is the same in another spelling of it. */
static void check_again(const struct plog_entry *e)
{
    struct plog_entry o;
    MUST(!plog_entry_parse(&second, fuzz_span(&again), &o, NULL));
    MUST(o.seq == e->seq && o.control == e->control &&
         plog_span_equal(o.from, e->from) && o.from_seq == e->from_seq &&
         o.skipped == e->skipped && o.redacted == e->redacted &&
         plog_delta_same(&o.delta, &e->delta));
}

static bool check_entry(struct plog_span line)
{
    struct plog_error err;
    struct plog_entry e;
    memset(&err, 0xee, sizeof err);
    int rc = plog_entry_parse(&parser, line, &e, &err);
    MUST(rc == 0 || rc == PLOG_E_CORRUPT || rc == PLOG_E_FORMAT);
    if (rc) {
        MUST(err.code < 0 && fuzz_is_message(err.message, sizeof err.message));
        MUST(fuzz_is_message(err.member, sizeof err.member));
        return false;
    }
    again.len = 0;
    if (e.control == PLOG_CONTROL_NONE)
        check_delta(&e, line);
    else {
        MUST(fuzz_inside(e.args, line) && !plog_line_is_redacted(line));
        check_args(&e);
        MUST(!plog_control_format(&again, e.seq, e.control, e.args,
                                  e.logged_at));
    }
    /* The origin of another log may come with escapes; we write none. */
    if (e.from.n && !plog_span_equal(fuzz_span(&again), line))
        MUST(memchr(line.p, '\\', line.n));
    else
        MUST(plog_span_equal(fuzz_span(&again), line));
    check_again(&e);
    return true;
}

static bool check_commit(struct plog_span line)
{
    struct plog_commit c;
    if (plog_commit_parse(line, &c))
        return false;
    again.len = 0;
    MUST(c.size && !plog_commit_format(&again, &c));
    MUST(plog_span_equal(fuzz_span(&again), line));
    return true;
}

static bool check_header(struct plog_span line)
{
    static struct plog_segment_header h;
    unsigned char root[PLOG_HASH_SIZE];
    int rc = plog_header_parse(&parser.json, line, &h);
    MUST(rc == 0 || rc == PLOG_E_CORRUPT || rc == PLOG_E_FORMAT);
    if (rc)
        return false;
    again.len = 0;
    plog_tree_root(&h.tree, root);
    MUST(h.format == 1 && h.first == h.last.size + 1 &&
         h.tree.size == h.last.size);
    MUST(h.last.size == 0 || memcmp(root, h.last.root, sizeof root) == 0);
    MUST(!plog_header_format(&again, h.origin, &h.tree, &h.last));
    MUST(plog_span_equal(fuzz_span(&again), line));
    return true;
}

/* Readers that take nothing would pass all the rest. */
static void check_good_ones(void)
{
    static const char entry[] =
        "{\"seq\":7,\"id\":\"i\",\"from\":{\"origin\":\"o\",\"seq\":1},"
        "\"resource\":\"r\",\"record_id\":\"1\",\"op\":\"upsert\","
        "\"payload\":{},\"occurred_at\":\"2026-01-02T03:04:05Z\","
        "\"provenance\":{\"source\":\"s\",\"confidence\":1},\"meta\":{},"
        "\"outcome\":\"skipped\",\"merged\":{},\"salt\":"
        "\"AAAAAAAAAAAAAAAAAAAAAA==\",\"logged_at\":"
        "\"2026-01-02T03:04:05.678901Z\"}";
    struct plog_buf line;
    uint64_t random = 1;
    plog_buf_init(&line, fuzz_memory());
    for (int i = 0; i < 100; i++) {
        line.len = 0;
        fuzz_add_commit(&line, &signer, &random);
        MUST(check_commit(fuzz_span(&line)));
        line.len = 0;
        fuzz_add_header(&line, &signer, &random);
        MUST(check_header(fuzz_span(&line)));
    }
    MUST(check_entry(plog_span_text(entry)));
    plog_buf_fini(&line);
}

static void set_up(void)
{
    if (again.io)
        return;
    plog_entry_parser_init(&parser, fuzz_memory());
    plog_entry_parser_init(&second, fuzz_memory());
    plog_buf_init(&again, fuzz_memory());
    plog_buf_init(&args, fuzz_memory());
    plog_buf_init(&scratch, fuzz_memory());
    fuzz_signer(&signer, "example.org/fuzz", 7);
    check_good_ones();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plog_span line = plog_span((const char *)data, size);
    set_up();
    enum plog_line_kind kind = plog_line_kind(line);
    MUST(check_entry(line) <= (kind == PLOG_LINE_ENTRY));
    MUST(check_commit(line) <= (kind == PLOG_LINE_COMMIT));
    MUST(check_header(line) <= (kind == PLOG_LINE_SEGMENT));
    struct plog_order order;
    struct plog_compaction compaction;
    if (plog_order_read(&parser, line, &order))
        MUST(kind == PLOG_LINE_ENTRY && order.seq < order.at);
    if (plog_compaction_read(&parser, line, &compaction))
        MUST(kind == PLOG_LINE_ENTRY && compaction.to != compaction.from);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    static struct plog_buf line;
    uint64_t random = seed;
    set_up();
    if (!line.io)
        plog_buf_init(&line, fuzz_memory());
    size_t kind = fuzz_below(&random, 64);
    if (kind < 24)
        return LLVMFuzzerMutate(data, size, max);
    if (kind < 62)
        return fuzz_mutate_json((char *)data, size, max, &random);
    line.len = 0;
    (kind == 62 ? fuzz_add_commit : fuzz_add_header)(&line, &signer, &random);
    if (line.len > max)
        return LLVMFuzzerMutate(data, size, max);
    memcpy(data, line.data, line.len);
    return line.len;
}
