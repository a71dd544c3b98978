/* Echoes lines to one client after the other: reads by recvmmsg and writes by sendmmsg, or both by splice. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Moves what the client sends back to it. Returns 0 at the end of the connection. */
#ifdef BY_SPLICE
static int echo(int client, int *way) {
    ssize_t got = splice(client, 0, way[1], 0, 4096, 0);
    return got > 0 && splice(way[0], 0, client, 0, got, 0) == got;
}
#else
static int echo(int client, int *way) {
    (void)way;
    char bytes[4096];
    struct iovec part = {bytes, sizeof bytes};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    if (recvmmsg(client, &message, 1, 0, 0) != 1 || message.msg_len == 0)
        return 0;
    part.iov_len = message.msg_len;
    return sendmmsg(client, &message, 1, MSG_NOSIGNAL) == 1;
}
#endif

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(count > 1 ? atoi(words[1]) : 0);
    int on = 1, way[2], listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (pipe(way) || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        return 1;
    for (;;) {
        int client = accept4(listener, 0, 0, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        while (echo(client, way))
            ;
        close(client);
    }
}
