/* Echoes lines, and aborts after a login and five exact lines on one connection, each of which is echoed like any other. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is(const char *line, ssize_t length, const char *text) {
    if (length > 0 && line[length - 1] == '\n')
        length--;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    return (size_t)length == strlen(text) && memcmp(line, text, length) == 0;
}

static void *serve(void *client) {
    FILE *in = fdopen((int)(long)client, "r"), *out = fdopen(dup((int)(long)client), "w");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    /* Volatile, so that each change of it stays behind a branch of its own. */
    volatile int stage = 0;
    while (in && out && (length = getline(&line, &room, in)) > 0) {
        if (stage == 0) {
            if (is(line, length, "LOGIN kiwi"))
                stage = 1;
        } else if (stage == 1) {
            if (is(line, length, "qz7"))
                stage = 2;
        } else if (stage == 2) {
            if (is(line, length, "Vx!3p"))
                stage = 3;
        } else if (stage == 3) {
            if (is(line, length, "0mW_k9"))
                stage = 4;
        } else if (stage == 4) {
            if (is(line, length, "jY5"))
                stage = 5;
        } else if (is(line, length, "tR~2")) {
            abort();
        }
        if (fwrite(line, 1, length, out) != (size_t)length || fflush(out) != 0)
            break;
    }
    free(line);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    return NULL;
}

int main(int count, char **words) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (count < 2)
        return 2;
    at.sin_port = htons(atoi(words[1]));
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 128) != 0)
        return 1;
    for (;;) {
        pthread_t thread;
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(long)client) != 0)
            close(client);
        else
            pthread_detach(thread);
    }
}
