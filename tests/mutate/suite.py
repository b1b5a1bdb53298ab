#!/usr/bin/env python3
"""suite.py - makes the program in which every conditional jump can be mutated.

    suite.py DIRECTORY OBJECT... (called by `make mutants`)

DIRECTORY has the assembly of core and recovery (gcc -S -O0 -g1, below core/
and recovery/); OBJECTs are the tests, their library and the command, compiled.
Every conditional jump gets

    a number, and its address in the section plog_mutants;
    a byte that says it was not taken, behind it;
    a byte that says it was taken, in a piece of code that jumps on to where
    it leads.

At -O0 one condition of the source is one jump, so a mutant says something
about a condition; the bytes are stored with movb, which leaves the flags
alone.  Writes DIRECTORY/sites.tsv (number, file, line, column, function,
which of its line, jump, source) and links DIRECTORY/suite, all tests in one program:
see patch.c.
"""
import os
import re
import shlex
import subprocess
import sys

JUMP = re.compile(r"\tj(?!mp\b)([a-z]+)\t(\S+)$")
LOC = re.compile(r"\t\.loc (\d+) (\d+) (\d+)")
FILE = re.compile(r'\t\.file (\d+) (?:"[^"]*" )?"([^"]*)"')
FUNCTION = re.compile(r"\t\.type\t([^,]+), ?@function")
HERE = os.path.dirname(os.path.abspath(__file__))


def run(*words):
    if subprocess.run(words, check=False).returncode:
        sys.exit(f"suite.py: {words[0]} failed")


def mark(text, source, sites):
    """The assembly with marked jumps; appends what they are to `sites`."""
    out, files, where, function, on_line = [], {}, (source, 0, 0), "", {}
    for line in text.splitlines():
        jump = JUMP.match(line)
        if not jump:
            if m := FILE.match(line):
                files[m[1]] = m[2]
            elif m := LOC.match(line):
                where = (files.get(m[1], source), int(m[2]), int(m[3]))
            elif m := FUNCTION.match(line):
                function = m[1]
            out.append(line)
            continue
        n = len(sites)
        nth = on_line[where[:2]] = on_line.get(where[:2], 0) + 1
        sites.append((n, *where, function, nth, "j" + jump[1], source))
        out += [
            f".Lmutant{n}:",
            f"\tj{jump[1]}\t.Ltaken{n}",
            f"\tmovb\t$1, mutate_hits+{2 * n}(%rip)",
            "\t.subsection 1",
            f".Ltaken{n}:",
            f"\tmovb\t$1, mutate_hits+{2 * n + 1}(%rip)",
            f"\tjmp\t{jump[2]}",
            "\t.subsection 0",
            '\t.pushsection plog_mutants,"aw"',
            f"\t.quad\t{n}, .Lmutant{n}",
            "\t.popsection",
        ]
    return "\n".join(out) + "\n"


def sources(directory):
    for part in ("core", "recovery"):
        for name in sorted(os.listdir(f"{directory}/{part}")):
            if name.endswith(".s") and not name.endswith(".marked.s"):
                yield f"{part}/{name[:-2]}"


def main(directory, objects):
    cc = shlex.split(os.environ.get("CC", "cc"))
    sites, linked, mains = [], [], []
    for name in sources(directory):
        path = f"{directory}/{name}"
        with open(path + ".s") as f:
            marked = mark(f.read(), name + ".c", sites)
        with open(path + ".marked.s", "w") as f:
            f.write(marked)
        run(*cc, "-c", "-o", path + ".o", path + ".marked.s")
        linked.append(path + ".o")
    for path in objects:
        program = re.search(r"/tests/(?:unit|storm)/(\w+)\.o$", path)
        name = program[1] if program else "paritylog"
        if not program and not path.endswith("/tools/paritylog.o"):
            linked.append(path)
            continue
        mains.append(name)
        mine = f"{directory}/main_{name}.o"
        # What a test puts between the library and SQLite, libsodium or the C
        # library, it does there, too: all else of a test is static.
        only = (["--keep-global-symbol=main_" + name]
                if program and "/storm/" in path else [])
        run("objcopy", f"--redefine-sym=main=main_{name}", *only, path, mine)
        linked.append(mine)
    mains.append("echo")
    linked.append(directory + "/main_echo.o")
    with open(directory + "/sites.tsv", "w") as f:
        for site in sites:
            f.write("\t".join(map(str, site)) + "\n")
    with open(directory + "/suite.h", "w") as f:
        size = (2 * len(sites) + 4095) // 4096 * 4096
        f.write(f"#define MUTATE_HITS_SIZE {size}\n")
        f.writelines(f"int main_{m}(int, char **);\n" for m in mains)
        f.write("static const struct {\n    const char *name;\n"
                "    int (*main)(int, char **);\n} programs[] = {\n")
        f.writelines(f'    {{"{m}", main_{m}}},\n' for m in mains)
        f.write("};\n")
    run(*cc, "-D_GNU_SOURCE", "-O2", "-I" + directory, "-c", "-o",
        directory + "/patch.o", HERE + "/patch.c")
    # echo.c is a program of the suite like any test.
    top = os.path.dirname(os.path.dirname(HERE))
    run(*cc, "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-I" + top + "/tests/lib",
        "-I" + top + "/core", "-I" + top + "/recovery", "-Dmain=main_echo", "-c", "-o",
        directory + "/main_echo.o", HERE + "/echo.c")
    libs = shlex.split(os.environ.get("LIBS", ""))
    # What is not freed any more is noticed, too.
    run(*cc, "-fsanitize=leak", "-o", directory + "/suite", directory + "/patch.o", *linked, *libs)
    print(f"{len(sites)} conditional jumps in {directory}/suite")


main(sys.argv[1], sys.argv[2:])
