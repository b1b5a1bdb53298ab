/*
 * gz.c - any bytes as a gzip file, and as what goes into one.
 *
 * What reads to its end has the checksum and the length that the file states,
 * and is the same however it is read; what was written reads again, the same;
 * nothing may follow.  However much a few bytes come to, memory stays small.
 */
#include "gz.h"

#include "fuzz.h"
#include "ram.h"

#define MOST (256u << 10) /* read of one file; what is longer is a bomb */

static struct ram ram;
static unsigned char whole[MOST + 1], parts[MOST + 1];

static int open_ram(const void *data, size_t n, bool create)
{
    if (!ram.io.open_at)
        ram_init(&ram);
    ram_put(&ram, "/f", data, n);
    int fd = ram.io.open_at(&ram, -1, "/f", create ? 02 : 0, 0);
    MUST(fd >= 0);
    return fd;
}

/* Reads up to MOST + 1 bytes, `step` at a time. */
static int read_by(int fd, unsigned char *to, size_t step, size_t *n)
{
    struct plog_error err = {0};
    struct plog_gz g;
    size_t got = step;
    *n = 0;
    int rc = plog_gz_open(&g, &ram.io, fd, &err);
    MUST(rc == 0);
    while (!rc && got == step && *n <= MOST) {
        size_t want = step < MOST + 1 - *n ? step : MOST + 1 - *n;
        rc = plog_gz_read(&g, to + *n, want, &got, &err);
        MUST(got <= want);
        *n += got;
        if (want < step)
            break;
    }
    MUST(rc == 0 || (rc == PLOG_E_CORRUPT && err.code == rc));
    plog_gz_close(&g);
    return rc;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static void check_reading(const uint8_t *data, size_t size)
{
    size_t n, m, step = 1 + (size ? data[size - 1] % 61u : 0);
    int fd = open_ram(data, size, false);
    int rc = read_by(fd, whole, 65536, &n);
    if (n > 4096)
        step *= 1000;
    MUST(read_by(fd, parts, step, &m) == rc);
    MUST(rc || m == n); /* before damage more or less may come out */
    m = m < n ? m : n;
    MUST(m == 0 || memcmp(whole, parts, m) == 0);
    ram.io.close(&ram, fd);
    if (rc || n > MOST)
        return;
    MUST(size >= 18 && data[0] == 0x1f && data[1] == 0x8b && data[2] == 8);
    MUST(le32(data + size - 8) == (uint32_t)crc32(0, whole, (uInt)n));
    MUST(le32(data + size - 4) == (uint32_t)n);
}

static void check_writing(const uint8_t *data, size_t size)
{
    struct plog_gz g;
    size_t n, half = size / 2;
    int fd = open_ram(NULL, 0, true);
    int level = 1 + (int)(size % 9);
    MUST(!plog_gz_create(&g, &ram.io, fd, level, NULL));
    MUST(!plog_gz_write(&g, data, half, NULL));
    MUST(!plog_gz_write(&g, data + half, size - half, NULL));
    MUST(!plog_gz_finish(&g, NULL));
    plog_gz_close(&g);
    plog_gz_close(&g);
    MUST(read_by(fd, whole, 65536, &n) == 0);
    MUST(n == size && (n == 0 || memcmp(whole, data, n) == 0));
    ram.io.close(&ram, fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MOST)
        return 0;
    check_reading(data, size);
    if (crc32(0, data, (uInt)size) % 16 == 0) /* slower, and less to find */
        check_writing(data, size);
    return 0;
}

/* ---- Summed anew -------------------------------------------------------- */

/* What a deflated stream inflates to; `*used` of its bytes.  False when it has
 * no end. */
static bool inflated(const uint8_t *p, size_t n, size_t *used, size_t *out)
{
    z_stream z = {0};
    if (inflateInit2(&z, -15) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = whole;
    z.avail_out = MOST;
    int rc = inflate(&z, Z_FINISH);
    *used = n - z.avail_in;
    *out = MOST - z.avail_out;
    inflateEnd(&z);
    return rc == Z_STREAM_END;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed)
{
    static const uint8_t head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    uint64_t random = seed;
    size_t used, n, body = size;
    if (fuzz_below(&random, 3) == 0 || max < 64)
        return LLVMFuzzerMutate(data, size, max);
    if (size > 18 && data[0] == 0x1f && data[3] == 0)
        body = LLVMFuzzerMutate(data + 10, size - 18, max - 18);
    else { /* any bytes become the stream */
        body = size < max - 18 ? size : max - 18;
        memmove(data + 10, data, body);
        memcpy(data, head, sizeof head);
    }
    if (!inflated(data + 10, body, &used, &n))
        return 10 + body;
    put32(data + 10 + used, (uint32_t)crc32(0, whole, (uInt)n));
    put32(data + 14 + used, (uint32_t)n);
    return 18 + used;
}
