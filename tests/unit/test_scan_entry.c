/*
 * test_scan_entry.c - what is said of a control entry that is well-formed, and
 * of which a signature inside does not verify.
 */
#include <string.h>

#include "check.h"
#include "hand.h"
#include "rotate.h"

/* A rotation whose signature by `which` key is another one. */
static void add_rotation(const char *which)
{
    unsigned char root[PLOG_HASH_SIZE];
    struct plog_buf args;
    plog_buf_init(&args, plog_io_posix());
    plog_tree_root(&hand.tree, root);
    CHECK_INT(plog_rotation_make(&args, hand.tree.size + 1, root, &hand.a,
                                 &hand.b),
              0);
    CHECK_INT(plog_buf_add_char(&args, '\0'), 0);
    char *at = which ? strstr(args.data, which) : NULL;
    if (at) {
        at += strlen(which) + 9;
        *at = *at == 'A' ? 'B' : 'A';
    }
    CHECK((at != NULL) == (which != NULL));
    hand_entry(PLOG_CONTROL_ROTATE, args.data, true);
    plog_buf_fini(&args);
}

static void a_signature_inside(void)
{
    static const char *const all[] = {NULL, "\"old_sig\":\"", "\"new_sig\":\""};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hand_begin();
        add_rotation(all[i]);
        hand_commit(&hand.a);
        CHECK_INT(hand_read_all(false), i ? PLOG_E_TAMPERED : PLOG_END);
        if (i)
            hand_says("control `rotate`: a signature inside does not verify");
        hand_end();
    }
    hand_begin();
    hand_entry(PLOG_CONTROL_ROTATE, "{\"old\":1}", true);
    hand_commit(&hand.a);
    CHECK_INT(hand_read_all(false), PLOG_E_CORRUPT);
    hand_says("control `rotate` makes no sense");
    hand_end();
}

int main(int argc, char **argv)
{
    static const struct check_case cases[] = {
        {"a signature inside", a_signature_inside},
    };
    int rc = check_main(argc, argv, cases, sizeof cases / sizeof *cases);
    hand_forget();
    return rc;
}
