/* Echoes lines. Each of its threads waits for clients, so that several wake up for each connection and one of them gets it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 8

static int listener;

static void serve(int client) {
    char line[4096];
    ssize_t got;
    while ((got = recv(client, line, sizeof line, 0)) > 0 && send(client, line, got, MSG_NOSIGNAL) == got)
        ;
    close(client);
}

static void *work(void *unused) {
    struct epoll_event event = {.events = EPOLLIN};
    int queue = epoll_create1(0);
    epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        epoll_wait(queue, &event, 1, -1);
        int client = accept4(listener, 0, 0, 0);
        if (client >= 0)
            serve(client);
    }
    return unused;
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(count > 1 ? atoi(words[1]) : 0);
    int on = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        return 1;
    for (int i = 1; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, 0, work, 0))
            return 1;
    }
    work(0);
}
