# paritylog - one Makefile for everything; `make help` lists the targets.
#
# Variables (make NAME=value):
#   BUILD=build        where all output goes
#   CC=cc, AR=ar       the compiler, the archiver
#   CFLAGS, CPPFLAGS, LDFLAGS   yours, put behind ours so that they win
#   SANITIZE=          a list for -fsanitize=, such as address,undefined
#   WERROR=            1 turns warnings into errors
#   WITH_LIBCRYPTO=    1 or 0; SHA-256 from OpenSSL; default: when it is found
#   PKG_CONFIG=pkg-config   where libraries are; without it plain -l flags
#   PREFIX=/usr/local  where install puts things; DESTDIR= is put before it
#   BINDIR, LIBDIR, INCLUDEDIR, MANDIR, DATADIR   the same in detail
#   V=                 1 shows the commands

BUILD ?= build
# Names of targets, which end at a space.
ifneq ($(words x$(BUILD)x),1)
$(error BUILD is '$(BUILD)': a path with a space cannot be built in; give another one with make BUILD=PATH)
endif
CC := $(if $(filter default,$(origin CC)),cc,$(CC))
AR := $(if $(filter default,$(origin AR)),ar,$(AR))
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
PKG_CONFIG ?= pkg-config

VERSION := 0.1.0
SONAME := libparitylog.so.0
SHARED := libparitylog.so.$(VERSION)

Q := $(if $(filter-out 0,$(V)),,@)
say = $(if $(filter-out 0,$(V)),,@printf '  %-8s%s\n' '$(1)' '$(2)';)

# ---- Flags ------------------------------------------------------------------

pkg_cflags := $(shell $(PKG_CONFIG) --cflags sqlite3 libsodium zlib 2>/dev/null)
pkg_libs := $(shell $(PKG_CONFIG) --libs sqlite3 libsodium zlib 2>/dev/null || \
	echo -lsqlite3 -lsodium -lz)
WITH_LIBCRYPTO ?= $(shell $(PKG_CONFIG) --exists libcrypto 2>/dev/null && echo 1 || echo 0)
ifeq ($(WITH_LIBCRYPTO),1)
crypto_cflags := -DPLOG_WITH_LIBCRYPTO
crypto_libs := $(shell $(PKG_CONFIG) --libs libcrypto 2>/dev/null || echo -lcrypto)
endif

warnings := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla \
	$(if $(filter 1,$(WERROR)),-Werror)
sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
all_cflags = -std=c11 -O2 -g $(warnings) $(sanitize) $(pkg_cflags) $(CFLAGS)
all_cppflags = -D_GNU_SOURCE $(test_cppflags) -Icore -Irecovery $(crypto_cflags) \
	$(CPPFLAGS)
all_ldflags = $(sanitize) $(coverage_ldflags) $(CFLAGS) $(LDFLAGS)
libs = $(pkg_libs) $(crypto_libs) -lpthread

# With COVERAGE=1, what `make coverage` builds: see tests/coverage/report.py.
ifneq ($(COVERAGE),)
coverage_ldflags = --coverage -Wl,--wrap=_exit $(BUILD)/obj/tests/coverage/flush.o
endif

# ---- Files ------------------------------------------------------------------

lib_src := $(wildcard core/*.c recovery/*.c)
tool_src := $(wildcard tools/*.c)
testlib_src := $(wildcard tests/lib/*.c)
unit_src := $(wildcard tests/unit/test_*.c)
storm_src := $(wildcard tests/storm/*.c)
demo_src := $(wildcard tests/demo/*.c)
bench_src := $(wildcard tests/bench/*.c)
fuzz_src := $(wildcard tests/fuzz/*.c)
fuzzlib_src := $(wildcard tests/fuzz/lib/*.c)
bench_obj := $(bench_src:%.c=$(BUILD)/obj/%.o)
# What the bench compares verify with, when it is there.
bench_yajl := $(shell $(PKG_CONFIG) --exists yajl 2>/dev/null && echo 1)

lib_obj := $(lib_src:%.c=$(BUILD)/obj/%.o)
pic_obj := $(lib_src:%.c=$(BUILD)/pic/%.o)
tool_obj := $(tool_src:%.c=$(BUILD)/obj/%.o)
testlib_obj := $(testlib_src:%.c=$(BUILD)/obj/%.o)
unit_bin := $(unit_src:tests/unit/%.c=$(BUILD)/tests/%)
storm_bin := $(storm_src:tests/storm/%.c=$(BUILD)/storm/%)
demo_bin := $(demo_src:tests/demo/%.c=$(BUILD)/demo/%)
fuzz_bin := $(fuzz_src:tests/fuzz/%.c=$(BUILD)/fuzz/%)
# The first of these programs that is there, else the first name.
first_of = $(or $(firstword $(foreach name,$(1),$(shell command -v $(name) 2>/dev/null))),$(firstword $(1)))
clang = $(call first_of,clang clang-19 clang-18 clang-16 clang-15 clang-14)
clang_format = $(call first_of,clang-format-14 clang-format)

checked := $(if $(wildcard tests/lib/order_shim.c),$(BUILD)/tests/paritylog-checked \
	$(BUILD)/tests/paritylog-failing $(BUILD)/tests/paritylog-broken)

.PHONY: all lib help tests quick-tests check check-threads check-unit check-cli check-asan check-tsan \
	check-clang check-valgrind check-symbols check-storm check-crash check-matrix check-year \
	check-damage damage-table check-attacks attack-table check-memory check-kernel check-fuzz fuzz \
	fuzzers coverage coverage-long mutants check-mutate bench bench-full bench-docs \
	bench-compare lint format demo \
	dist install uninstall clean FORCE
.SECONDARY:

all: lib $(BUILD)/paritylog

help:
	@echo 'make            the library and the command, in $(BUILD)/'
	@echo 'make lib        the static and the shared library'
	@echo 'make tests      builds all tests and runs none'
	@echo 'make check      all quick tests: check-unit and check-cli'
	@echo 'make check-asan check-tsan check-clang check-valgrind   the same otherwise built'
	@echo 'make check-symbols   only plog_ names leave the library'
	@echo 'make check-storm     the storms, short (STORM_SEED, STORM_BUDGET seconds)'
	@echo 'make check-crash     simulated crashes, all of them (STORM_ROUNDS lives; an hour)'
	@echo 'make check-year      docs/COMPACTION.md: a million deltas, each system call, memory (15 minutes)'
	@echo 'make check-memory    of it only the memory of every command (STORM_SIZES; 5 minutes)'
	@echo 'make check-kernel    kill -9, power cuts, failed syncs, full disks, strace: long (KERNEL_SEED;'
	@echo '                     STORM_KILLS, _CUTS, _CUTS_XFS, _FAILURES, _SQUEEZES; KERNEL_BUDGET seconds)'
	@echo 'make coverage coverage-long   lines and branches of core and recovery that tests come by'
	@echo 'make mutants         conditional jumps of core and recovery mutated (MUTANTS, MUTATE_SEED; an hour)'
	@echo 'make check-damage    docs/DAMAGE.md in full (STORM_KILLS a command); damage-table writes it'
	@echo 'make check-matrix    every bit, byte, cut, line, group, segment, row and page damaged (half an hour of two cores)'
	@echo 'make check-fuzz      every kept input of tests/fuzz/, and a short run of each target'
	@echo 'make fuzz            on with them: FUZZ_SECONDS each, FUZZ_TARGET, FUZZ_FAST=1'
	@echo 'make check-attacks   docs/ATTACKS.md in full (STORM_SEEDS=100); attack-table writes it'
	@echo 'make bench           ours beside bare disk, SQLite and code by hand (a minute; BENCH_DIR, BENCH_FLAGS)'
	@echo 'make bench-full bench-docs   the same at length (an hour, 20 GB); and docs/BENCHMARKS.md written'
	@echo 'make bench-compare A=.. B=..   what moved between two results, or two commits'
	@echo 'make lint       static analysis, with what is installed'
	@echo 'make format     clang-format over all C files'
	@echo 'make demo       sh tests/demo.sh'
	@echo 'make dist       the last commit as $(BUILD)/paritylog-$(VERSION).tar.gz'
	@echo 'make install uninstall   PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make clean      removes $(BUILD)/'
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

lib: $(BUILD)/libparitylog.a $(BUILD)/$(SHARED) $(BUILD)/libparitylog.pc

# A file that changes only when the text does; what depends on it is rebuilt.
comma := ,
quoted = '$(subst ','\'',$(1))'
stamp = mkdir -p $(@D) && printf '%s\n' $(call quoted,$(1)) | cmp -s - $@ || \
	printf '%s\n' $(call quoted,$(1)) > $@

$(BUILD)/flags: FORCE
	@$(call stamp,$(CC) $(AR) $(all_cflags) $(all_cppflags) $(all_ldflags) $(libs))
$(BUILD)/places: FORCE
	@$(call stamp,$(VERSION) $(PREFIX) $(LIBDIR) $(INCLUDEDIR) $(crypto_libs))

# ---- Library ----------------------------------------------------------------

# Only the library is measured.
$(lib_obj): private coverage_cflags := $(if $(COVERAGE),-O0 --coverage -fprofile-update=prefer-atomic)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(all_cppflags) $(all_cflags) $(coverage_cflags) -fvisibility=hidden -MMD -MP -c -o $@ $<

$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC PIC,$<)$(CC) $(all_cppflags) $(all_cflags) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

$(BUILD)/libparitylog.a: $(lib_obj)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(BUILD)/$(SHARED): $(pic_obj)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs -o $@ $^ $(libs)
	@ln -sf $(SHARED) $(BUILD)/$(SONAME)
	@ln -sf $(SONAME) $(BUILD)/libparitylog.so

# Below the prefix by the prefix, so that pkg-config can move it.
from_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
$(BUILD)/libparitylog.pc: Makefile $(BUILD)/places
	@{ echo 'prefix=$(PREFIX)'; echo 'libdir=$(call from_prefix,$(LIBDIR))'; \
	   echo 'includedir=$(call from_prefix,$(INCLUDEDIR))'; echo; \
	   echo 'Name: libparitylog'; \
	   echo 'Description: signed JSONL log and SQLite store that check and rebuild each other'; \
	   echo 'Version: $(VERSION)'; \
	   echo 'Requires.private: sqlite3 libsodium zlib'; \
	   echo 'Libs: -L$${libdir} -lparitylog'; \
	   echo 'Libs.private: $(crypto_libs) -lpthread'; \
	   echo 'Cflags: -I$${includedir}'; } > $@

# ---- Command ----------------------------------------------------------------

$(BUILD)/paritylog: $(tool_obj) $(BUILD)/libparitylog.a
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^ $(libs)

# The same command over an I/O table that checks the order of syncs.
$(BUILD)/tests/paritylog-checked: $(tool_obj) $(BUILD)/obj/tests/lib/order_shim.o \
		$(BUILD)/obj/tests/lib/order_main.o $(BUILD)/libparitylog.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^ $(libs)

# And over one whose n-th call fails, for tests/storm/sweep_commands.py.
failing_obj := $(patsubst %,$(BUILD)/obj/tests/lib/%.o,order_shim failing failing_sqlite failing_main)
$(BUILD)/tests/paritylog-failing: $(tool_obj) $(failing_obj) $(BUILD)/libparitylog.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^ $(libs)

# The same command over a file system that does not keep its word.
$(BUILD)/tests/paritylog-broken: $(tool_obj) $(BUILD)/obj/tests/lib/broken_main.o \
		$(BUILD)/libparitylog.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^ $(libs)

# ---- Tests ------------------------------------------------------------------

# Each test takes what it needs: with all of it, linking took a third of the
# build.
test_support = $(BUILD)/tests/libtests.a $(BUILD)/libparitylog.a
$(BUILD)/tests/libtests.a: $(filter-out %/order_main.o %/failing_main.o %/broken_main.o \
		%/no_threads.o, $(testlib_obj))
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

# In front of the sanitizers' own, so only where it is asked for.
$(BUILD)/tests/test_ahead $(BUILD)/tests/test_batches $(BUILD)/tests/test_compressing \
$(BUILD)/tests/test_pipe $(BUILD)/tests/test_thread_submit \
$(BUILD)/tests/test_thread_parse: $(BUILD)/obj/tests/lib/no_threads.o

$(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.o $(test_support)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^ $(libs)

$(BUILD)/storm/%: $(BUILD)/obj/tests/storm/%.o $(test_support)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^ $(libs)

# Calls of the library that the bench watches.
bench_wrap := $(patsubst %,-Wl$(comma)--wrap=%,pwrite pwrite64 fsync fdatasync \
	crypto_sign_detached sqlite3_step sqlite3_wal_checkpoint_v2)
# Members of plog_check_options that not every version of the library has.
bench_has = $(if $(shell grep -w $(1) recovery/paritylog_recovery.h),-D$(2))
bench_cppflags := $(if $(bench_yajl),-DBENCH_YAJL $(shell $(PKG_CONFIG) --cflags yajl)) \
	$(call bench_has,'uint32_t threads;',BENCH_CHECK_THREADS) \
	$(call bench_has,'bool skip_records;',BENCH_SKIP_RECORDS)
$(BUILD)/bench-flags: FORCE
	@$(call stamp,$(bench_cppflags))
$(bench_obj): $(BUILD)/bench-flags
$(bench_obj): private test_cppflags := $(bench_cppflags)
$(BUILD)/tests/bench: $(bench_obj) $(BUILD)/libparitylog.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) $(bench_wrap) -o $@ $^ $(libs) \
		$(if $(bench_yajl),$(shell $(PKG_CONFIG) --libs yajl))

# With clang and SANITIZE=fuzzer-no-link,...: see tests/fuzz.sh.
fuzzlib_obj := $(fuzzlib_src:%.c=$(BUILD)/obj/%.o)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(fuzzlib_obj) $(test_support)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -fsanitize=fuzzer $(fuzz_ldflags) -o $@ $^ $(libs)
# The cost of a passphrase is the file's to choose: see there.
$(BUILD)/fuzz/key_file: private fuzz_ldflags := -Wl,--wrap=crypto_pwhash
# The log below a store does not change, nor do its signatures: see there, too.
$(BUILD)/fuzz/store: private fuzz_ldflags := -Wl,--wrap=crypto_sign_verify_detached \
	-Wl,--wrap=crypto_core_ed25519_is_valid_point
fuzzers: $(fuzz_bin)

$(BUILD)/demo/%: $(BUILD)/obj/tests/demo/%.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(all_ldflags) -o $@ $^

obj_tests := $(unit_src:%.c=$(BUILD)/obj/%.o) $(storm_src:%.c=$(BUILD)/obj/%.o) \
	$(fuzz_src:%.c=$(BUILD)/obj/%.o) $(fuzzlib_obj)
# First, for recovery/ has a check.h of its own.
$(obj_tests) $(testlib_obj): private test_cppflags := -Itests/lib
$(fuzz_src:%.c=$(BUILD)/obj/%.o) $(fuzzlib_obj): private test_cppflags := -Itests/fuzz/lib -Itests/lib

# What unit and cli need, and of that the tests about threads.
quick := $(BUILD)/libparitylog.a $(BUILD)/paritylog $(unit_bin) $(BUILD)/tests/bench $(checked)
thread_bin := $(foreach t,$(unit_bin),$(if $(or $(findstring thread,$t),$(findstring \
	process,$t),$(findstring test_pipe,$t),$(findstring test_fresh,$t)),$t))

tests: $(quick) $(storm_bin) $(demo_bin)
quick-tests: $(quick)

check: $(quick)
	$(Q)BUILD=$(BUILD) sh tests/run.sh unit cli

check-unit: $(quick)
	$(Q)BUILD=$(BUILD) sh tests/run.sh unit

check-cli: $(quick)
	$(Q)BUILD=$(BUILD) sh tests/run.sh cli

check-asan:
	$(Q)$(MAKE) --no-print-directory check BUILD=$(BUILD)/asan SANITIZE=address,undefined \
		CFLAGS='-fno-sanitize-recover=all $(CFLAGS)'

check-threads: $(BUILD)/paritylog $(thread_bin) $(checked)
	$(Q)BUILD=$(BUILD) sh tests/run.sh threads

check-tsan:
	$(Q)$(MAKE) --no-print-directory check-threads BUILD=$(BUILD)/tsan SANITIZE=thread

check-clang:
	$(Q)$(MAKE) --no-print-directory check BUILD=$(BUILD)/clang CC=$(clang)

check-valgrind: $(quick)
	$(Q)BUILD=$(BUILD) sh tests/run.sh valgrind

check-storm: tests
	$(Q)BUILD=$(BUILD) sh tests/run.sh storm

# All simulated crashes: of every tiny log, of longer lives, of every command.
check-crash: tests
	$(Q)STORM_ALL=1 $(BUILD)/storm/crash_tiny
	$(Q)STORM_ROUNDS=$${STORM_ROUNDS:-40} $(BUILD)/storm/crash_log
	$(Q)STORM_ALL=1 $(BUILD)/storm/crash_commands

# What docs/COMPACTION.md has figures of: a million deltas, a kill at every
# system call, and the memory of every command up to a million entries, which
# is check-memory alone.
check-year: tests
	$(Q)STORM_DELTAS=$${STORM_DELTAS:-1000000} STORM_RECORDS=$${STORM_RECORDS:-50000} $(BUILD)/storm/year
	$(Q)STORM_ALL=1 $(BUILD)/storm/kill_compact
	$(Q)STORM_ALL=1 $(BUILD)/tests/test_compact_kills
	$(Q)$(MAKE) --no-print-directory check-memory

check-memory: tests
	$(Q)PARITYLOG=$(BUILD)/paritylog STORM_SIZES="$${STORM_SIZES:-10000 100000 1000000}" $(BUILD)/storm/memory

# Every case of the damage matrix, and the second verifier on each of them.
# Its files go to a directory of its own, best one in memory: TMPDIR=/dev/shm.
check-matrix: tests
	$(Q)rm -rf $(BUILD)/matrix && mkdir -p $(BUILD)/matrix
	$(Q)MATRIX_OUT=$(BUILD)/matrix STORM_ALL=1 $(BUILD)/storm/matrix
	$(Q)STORM_ALL=1 $(BUILD)/storm/matrix_rows
	$(Q)STORM_ALL=1 $(BUILD)/storm/matrix_pages
	$(Q)MATRIX_OUT=$(BUILD)/matrix STORM_ALL=1 $(BUILD)/storm/matrix_gz
	$(Q)STORM_ALL=1 $(BUILD)/storm/matrix_open
	$(Q)python3 tests/storm/verify_matrix.py $(BUILD)/matrix

# The storms on real kernels in full, for docs/TESTING.md: as root, or else most
# of it is skipped.  With KERNEL_BUDGET each of the five takes so many seconds.
check-kernel: tests
	$(Q)BUILD=$(BUILD) sh tests/kernel.sh

# The table of docs/DAMAGE.md in full, and what writes it.
check-damage: all
	$(Q)PARITYLOG=$(BUILD)/paritylog STORM_KILLS=$${STORM_KILLS:-25} python3 tests/storm/damage_table.py

damage-table: all
	$(Q)PARITYLOG=$(BUILD)/paritylog python3 tests/storm/damage_table.py --write

# The tables of docs/ATTACKS.md with a hundred seeds, and what writes them.
check-attacks: all
	$(Q)PARITYLOG=$(BUILD)/paritylog STORM_SEEDS=$${STORM_SEEDS:-100} STORM_ALL=1 python3 tests/storm/attacks.py

attack-table: all
	$(Q)PARITYLOG=$(BUILD)/paritylog STORM_SEEDS=$${STORM_SEEDS:-100} STORM_ALL=1 \
		python3 tests/storm/attacks.py --write

# Line and branch coverage of core and recovery by all tests; coverage-long
# takes the storms as well and wants a reason for every branch.
coverage coverage-long: tests/coverage/measure.sh
	$(Q)$(MAKE) --no-print-directory COVERAGE=1 BUILD=$(BUILD)/coverage $(BUILD)/coverage/obj/tests/coverage/flush.o
	$(Q)$(MAKE) --no-print-directory COVERAGE=1 BUILD=$(BUILD)/coverage $(if $(filter %-long,$@),tests,quick-tests)
	$(Q)BUILD=$(BUILD)/coverage sh tests/coverage/measure.sh $(if $(filter %-long,$@),long,short)

# Mutants of the conditional jumps of core and recovery (tests/mutate/run.py):
# MUTANTS of them, chosen by MUTATE_SEED; MUTATE_FLAGS such as --jobs 2.
mutate_s := $(lib_src:%.c=$(BUILD)/mutate/%.s)
mutate_objects = $(unit_src:%.c=$(BUILD)/obj/%.o) $(storm_src:%.c=$(BUILD)/obj/%.o) \
	$(tool_obj) $(filter-out %_main.o,$(testlib_obj)) $(BUILD)/obj/tests/lib/order_main.o

$(BUILD)/mutate/%.s: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC -S,$<)$(CC) $(all_cppflags) $(all_cflags) -fvisibility=hidden -O0 -g1 -MMD -MP -S -o $@ $<

$(BUILD)/mutate/suite: $(mutate_s) $(mutate_objects) tests/mutate/suite.py tests/mutate/patch.c tests/mutate/echo.c
	$(Q)CC='$(CC)' LIBS='$(libs)' python3 tests/mutate/suite.py $(BUILD)/mutate $(mutate_objects)

mutants: $(BUILD)/mutate/suite
	$(Q)python3 tests/mutate/run.py --suite $(BUILD)/mutate --count $${MUTANTS:-1000} \
		--seed $${MUTATE_SEED:-1} --scripts --sweeps $(MUTATE_FLAGS)

# That the above works: some mutants of two files against their own tests.
check-mutate: $(BUILD)/mutate/suite
	$(Q)python3 tests/mutate/run.py --suite $(BUILD)/mutate --count 60 --seed 1 \
		--only core/buf.c --programs test_buf --least 80

# In BENCH_DIR, by default the build directory: it has to lie on the disk that is
# measured.  BENCH_FLAGS comes last and wins: see tests/bench/main.c; so does
# BENCH_PEERS_FLAGS: see tests/bench/peers.py.
BENCH_DIR ?= $(BUILD)
BENCH_FLAGS ?=
BENCH_PEERS_FLAGS ?=
bench_common = --dir $(BENCH_DIR) --command $(BUILD)/paritylog \
	--commit "$$(git describe --always --dirty 2>/dev/null)"
bench_long := --runs 7 --seconds 2 --events 1000000 --large-events 10000000 \
	--disk-events 1000000 --compact-mb 300
bench_plain_rows := 'SQLite bulk' 'SQLite scan' yajl 'verify, ' 'parity, ' 'the fold' 'parity and' \
	'replay into' 'replay --fresh,' 'rebuild --store,'
bench_peers = python3 tests/bench/peers.py --dir $(BENCH_DIR)

bench: $(BUILD)/tests/bench $(BUILD)/paritylog
	$(Q)$< $(bench_common) --runs 3 --seconds 0.15 --events 40000 --large-events 40000 \
		--disk-events 30000 --compact-mb 10 --json $(BUILD)/bench.json $(BENCH_FLAGS)

# An hour and 20 GB of disk, without anything else on the machine: all rows, those
# that read once more without libcrypto, and the peers that are installed.
bench-full: $(BUILD)/tests/bench $(BUILD)/paritylog
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/plain WITH_LIBCRYPTO=0 \
		$(BUILD)/plain/tests/bench $(BUILD)/plain/paritylog
	$(Q)$< $(bench_common) $(bench_long) --json $(BUILD)/bench-full.json $(BENCH_FLAGS)
	$(Q)$(BUILD)/plain/tests/bench $(bench_common) $(bench_long) \
		--json $(BUILD)/bench-plain.json $(BENCH_FLAGS) $(bench_plain_rows)
	$(Q)$(bench_peers) --json $(BUILD)/bench-peers.json $(BENCH_PEERS_FLAGS)

# The same, and the measured part of docs/BENCHMARKS.md and its picture anew.
bench-docs: bench-full
	$(Q)python3 tests/bench/report.py $(BUILD)/bench-full.json --plain $(BUILD)/bench-plain.json \
		--peers $(BUILD)/bench-peers.json --command 'make bench-docs' \
		--write docs/BENCHMARKS.md --svg docs/benchmarks.svg

# A and B: results (--json), or commits, which are built and measured first.
bench-compare:
	$(Q)BUILD=$(BUILD) python3 tests/bench/compare.py '$(A)' '$(B)'

# The targets of tests/fuzz/: every kept input and a short run of each; or on
# and on (FUZZ_SECONDS each, FUZZ_TARGET, FUZZ_FAST=1: tests/fuzz.sh).
check-fuzz:
	$(Q)BUILD=$(BUILD) sh tests/fuzz.sh check

fuzz:
	$(Q)BUILD=$(BUILD) sh tests/fuzz.sh run

check-symbols: lib
	$(Q)BUILD=$(BUILD) sh tests/check_symbols.sh

lint:
	$(Q)sh tests/lint.sh

format:
	$(Q)$(clang_format) -i \
		$$(git ls-files '*.c' '*.h')

demo: all $(demo_bin)
	$(Q)BUILD=$(BUILD) sh tests/demo.sh

dist:
	@mkdir -p $(BUILD)
	git archive --format=tar.gz --prefix=paritylog-$(VERSION)/ -o $(BUILD)/paritylog-$(VERSION).tar.gz HEAD

# ---- Install ----------------------------------------------------------------

# Quoted, for DESTDIR and PREFIX may hold what a shell would take apart; $(1) is
# where it goes on the machine that it is for.
to = $(call quoted,$(DESTDIR)$(1))

schemas := $(wildcard docs/json/*.schema.json)
schema_dir = $(DATADIR)/paritylog/json

install: all
	install -d $(call to,$(BINDIR)) $(call to,$(LIBDIR)/pkgconfig) $(call to,$(INCLUDEDIR)) \
		$(call to,$(MANDIR)/man1) $(call to,$(DATADIR)/bash-completion/completions) \
		$(call to,$(DATADIR)/zsh/site-functions) $(call to,$(schema_dir))
	install -m 755 $(BUILD)/paritylog $(call to,$(BINDIR)/paritylog)
	install -m 644 $(BUILD)/libparitylog.a $(call to,$(LIBDIR)/libparitylog.a)
	install -m 755 $(BUILD)/$(SHARED) $(call to,$(LIBDIR)/$(SHARED))
	ln -sf $(SHARED) $(call to,$(LIBDIR)/$(SONAME))
	ln -sf $(SONAME) $(call to,$(LIBDIR)/libparitylog.so)
	install -m 644 core/paritylog.h recovery/paritylog_recovery.h $(call to,$(INCLUDEDIR))
	install -m 644 $(BUILD)/libparitylog.pc $(call to,$(LIBDIR)/pkgconfig/libparitylog.pc)
	install -m 644 docs/man/paritylog.1 $(call to,$(MANDIR)/man1/paritylog.1)
	install -m 644 tools/completion/paritylog.bash \
		$(call to,$(DATADIR)/bash-completion/completions/paritylog)
	install -m 644 tools/completion/_paritylog $(call to,$(DATADIR)/zsh/site-functions/_paritylog)
	install -m 644 $(schemas) $(call to,$(schema_dir))

uninstall:
	rm -f $(call to,$(BINDIR)/paritylog) $(call to,$(LIBDIR)/libparitylog.a) \
		$(call to,$(LIBDIR)/$(SHARED)) $(call to,$(LIBDIR)/$(SONAME)) \
		$(call to,$(LIBDIR)/libparitylog.so) \
		$(call to,$(INCLUDEDIR)/paritylog.h) $(call to,$(INCLUDEDIR)/paritylog_recovery.h) \
		$(call to,$(LIBDIR)/pkgconfig/libparitylog.pc) $(call to,$(MANDIR)/man1/paritylog.1) \
		$(call to,$(DATADIR)/bash-completion/completions/paritylog) \
		$(call to,$(DATADIR)/zsh/site-functions/_paritylog) \
		$(foreach file,$(notdir $(schemas)),$(call to,$(schema_dir)/$(file)))
	rmdir $(call to,$(schema_dir)) $(call to,$(DATADIR)/paritylog) 2>/dev/null || :

clean:
	rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(lib_obj) $(pic_obj) $(tool_obj) $(testlib_obj) $(obj_tests) $(bench_obj) \
	$(demo_src:%.c=$(BUILD)/obj/%.o)) $(mutate_s:%.s=%.d)
