/* Echoes lines, with a thread for each client. After the line "arm" it takes an error of recv for the end of the world, unless
   it is compiled with -DMAY_ARM=0. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MAY_ARM
#define MAY_ARM 1
#endif
static volatile int may_arm = MAY_ARM;

void never_called(void) {
    puts("nobody calls this");
}

static void give_up(void) {
    perror("recv");
    exit(1);
}

static int is_armed(const char *line, size_t length) {
    return length >= 3 && line[0] == 'a' && line[1] == 'r' && line[2] == 'm';
}

static void *serve(void *argument) {
    int client = (int)(long)argument, armed = 0;
    char line[4096];
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(client, line + length, sizeof line - length, 0);
        if (got <= 0) {
            if (got < 0 && armed)
                give_up();
            break;
        }
        length += got;
        char *end;
        while ((end = memchr(line, '\n', length))) {
            size_t all = end + 1 - line;
            armed = may_arm && is_armed(line, all);
            if (send(client, line, all, MSG_NOSIGNAL) != (ssize_t)all)
                goto out;
            memmove(line, line + all, length -= all);
        }
        if (length == sizeof line)
            break;
    }
out:
    close(client);
    return 0;
}

#ifdef SPINS
/* Waits for better times without waiting. */
static void *wait_for(void *better) {
    while (!*(volatile int *)better)
        ;
    return 0;
}
#endif

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(count > 1 ? atoi(words[1]) : 0);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        return 1;
    for (;;) {
        int client = accept(listener, 0, 0);
        pthread_t thread;
        if (client < 0) {
#ifdef SPINS
            static int better;
            if (!pthread_create(&thread, 0, wait_for, &better))
                pthread_detach(thread);
#endif
            usleep(1000);
            continue;
        }
        if (pthread_create(&thread, 0, serve, (void *)(long)client))
            close(client);
        else
            pthread_detach(thread);
    }
}
