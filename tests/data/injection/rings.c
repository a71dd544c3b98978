/* Echoes lines to one client after the other. Makes all calls on its sockets through io_uring. */
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ring;
static char *submitted, *completed;
static struct io_uring_sqe *entries;
static struct io_uring_params params;

static void set_up(void) {
    ring = syscall(SYS_io_uring_setup, 4, &params);
    if (ring < 0)
        exit(3);
    size_t size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    submitted = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    completed = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
    size = params.sq_entries * sizeof(struct io_uring_sqe);
    entries = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
}

/* Performs one operation and waits for its result. */
static int perform(int what, int fd, void *bytes, unsigned length) {
    unsigned *tail = (unsigned *)(submitted + params.sq_off.tail);
    unsigned *order = (unsigned *)(submitted + params.sq_off.array);
    unsigned at = *tail & *(unsigned *)(submitted + params.sq_off.ring_mask);
    memset(&entries[at], 0, sizeof entries[at]);
    entries[at].opcode = what;
    entries[at].fd = fd;
    entries[at].addr = (unsigned long)bytes;
    entries[at].len = length;
    order[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    while (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0)
        ;
    unsigned *head = (unsigned *)(completed + params.cq_off.head);
    unsigned mask = *(unsigned *)(completed + params.cq_off.ring_mask);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(completed + params.cq_off.cqes);
    int result = done[*head & mask].res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(count > 1 ? atoi(words[1]) : 0);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        return 1;
    set_up();
    for (;;) {
        int client = perform(IORING_OP_ACCEPT, listener, 0, 0);
        char bytes[4096];
        int got;
        while (client >= 0 && (got = perform(IORING_OP_RECV, client, bytes, sizeof bytes)) > 0)
            if (perform(IORING_OP_SEND, client, bytes, got) != got)
                break;
        if (client >= 0)
            close(client);
    }
}
