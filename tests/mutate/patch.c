/*
 * patch.c - makes the suite program one mutant of itself.
 *
 * suite.py gives every conditional jump of core and recovery a number, writes
 * its address into the section plog_mutants and lets both of its ways out
 * store a byte in mutate_hits.  Before main:
 *
 *   MUTATE=NUMBER:flip|always|never   rewrites that jump
 *   MUTATE_HITS=FILE                  puts mutate_hits into the file, shared,
 *                                     so that no way to die loses it
 *
 * Number and file are handed down, so that commands a script starts are the
 * same mutant.  What is wrong with either ends the program with 125, which no
 * test does.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"

struct site {
    uint64_t number;
    unsigned char *jump;
};

extern struct site __start_plog_mutants[], __stop_plog_mutants[];

/* [2n]: jump n was not taken; [2n + 1]: it was. */
unsigned char mutate_hits[MUTATE_HITS_SIZE] __attribute__((aligned(4096)));

static void give_up(const char *what)
{
    fprintf(stderr, "mutate: %s\n", what);
    _exit(125);
}

static unsigned char *jump_of(uint64_t number)
{
    for (struct site *s = __start_plog_mutants; s < __stop_plog_mutants; s++)
        if (s->number == number)
            return s->jump;
    give_up("there is no such jump");
    return NULL;
}

/* 7x rel8 or 0f 8x rel32; the lowest bit of the condition inverts it. */
static void rewrite(unsigned char *p, const char *kind)
{
    static const unsigned char nops[] = {0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
    int near = p[0] == 0x0f && (p[1] & 0xf0) == 0x80;
    if (!near && (p[0] & 0xf0) != 0x70)
        give_up("this is no conditional jump");
    if (strcmp(kind, "flip") == 0) {
        p[near] ^= 1;
    } else if (strcmp(kind, "never") == 0) {
        memcpy(p, nops, near ? 6 : 2);
    } else if (strcmp(kind, "always") == 0) {
        if (near)
            memcpy(p, "\x90\xe9", 2);
        else
            p[0] = 0xeb;
    } else {
        give_up("flip, always or never");
    }
}

static void patch(const char *mutant)
{
    char *kind;
    unsigned char *p = jump_of(strtoull(mutant, &kind, 10));
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *from = p - (uintptr_t)p % page;
    if (*kind != ':')
        give_up("NUMBER:KIND");
    if (mprotect(from, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC))
        give_up("the code cannot be written");
    rewrite(p, kind + 1);
    if (mprotect(from, 2 * page, PROT_READ | PROT_EXEC))
        give_up("the code cannot be protected");
}

static void share_hits(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, MUTATE_HITS_SIZE) ||
        mmap(mutate_hits, MUTATE_HITS_SIZE, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
        give_up("the file of hits");
    close(fd);
}

__attribute__((constructor)) static void mutate(void)
{
    const char *mutant = getenv("MUTATE"), *hits = getenv("MUTATE_HITS");
    if (hits)
        share_hits(hits);
    if (mutant)
        patch(mutant);
}

/* ---- The programs in one -------------------------------------------------- */

/* By the name it is called, as the tests of the command need it, else by its
 * first argument. */
int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    for (int shift = 0; shift < 2 && shift < argc; shift++) {
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
            if (strcmp(shift ? argv[1] : name, programs[i].name) == 0)
                return programs[i].main(argc - shift, argv + shift);
    }
    give_up("there is no such program");
    return 125;
}
