/* Lets tcprove see which edges a server takes: link this file, built without instrumentation, into a server that is built with
 * it.
 *
 *   tcprove generate coverage > tcprove-coverage.c && cc -O2 -c tcprove-coverage.c
 *   clang -fsanitize-coverage=trace-pc-guard -c server.c    or    gcc -fsanitize-coverage=trace-pc -c server.c
 *   cc server.o tcprove-coverage.o
 *
 *   RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3
 *              -Cllvm-args=-sanitizer-coverage-trace-pc-guard -Clink-arg=$PWD/tcprove-coverage.o" cargo build
 *
 * Then `tcprove fuzz` says that it sees edges. Without tcprove, or another fuzzer that provides memory as AFL does, the server
 * does nothing but a test at each edge. Programs built by afl-clang-fast need no such file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/shm.h>

/* A byte for each edge, and the number of bytes. */
static unsigned char *edges;
static uint32_t size;
static uint32_t guards;

__attribute__((constructor(101))) static void attach(void) {
    const char *id = getenv("__AFL_SHM_ID");
    const char *bytes = getenv("AFL_MAP_SIZE");
    if (edges || !id)
        return;
    void *at = shmat(atoi(id), NULL, 0);
    if (at == (void *)-1)
        return;
    size = bytes ? (uint32_t)strtoul(bytes, NULL, 10) : 1u << 16;
    edges = at;
}

static void count(uint32_t edge) {
    /* Threads share it: writing only the first time keeps it out of their way. */
    if (!edges[edge])
        edges[edge] = 1;
}

void __sanitizer_cov_trace_pc_guard_init(uint32_t *guard, uint32_t *end) {
    attach();
    if (!edges || guard == end || *guard)
        return;
    for (; guard < end; guard++)
        *guard = 1 + guards++ % (size - 1);
}

void __sanitizer_cov_trace_pc_guard(uint32_t *guard) {
    if (*guard)
        count(*guard);
}

/* GCC does not number the edges: their distance from this function, which is the same in every run, stands for them. */
void __sanitizer_cov_trace_pc(void) {
    if (edges) {
        uintptr_t distance = (uintptr_t)__builtin_return_address(0) - (uintptr_t)&attach;
        count((uint32_t)((distance * 0x9e3779b97f4a7c15u) >> 32) % size);
    }
}
