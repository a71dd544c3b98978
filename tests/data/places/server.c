/* A line server in which one function can be made more expensive.

   usage: server PORT [parse | allocate | ask | lock | reply]...

   parse     its loop runs ten times
   allocate  its function `remember` allocates and frees three blocks more
   ask       its function `log_request` makes a system call more
   lock      its function `count` takes a lock ten times instead of once
   reply     its function `respond` fills its buffer five times
*/
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP __attribute__((noinline))

static int more_parse = 1, more_allocate = 1, more_ask = 0, more_lock = 1, more_reply = 1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile long requests;
static volatile unsigned sum;

KEEP static void parse(const char *line, size_t length)
{
    for (int again = 0; again < more_parse; again++)
        for (size_t i = 0; i < length; i++)
            sum = sum * 31 + (unsigned char)line[i];
}

KEEP static void remember(const char *line, size_t length)
{
    for (int again = 0; again < more_allocate; again++) {
        char *copy = malloc(length + 64);
        memcpy(copy, line, length);
        sum += (unsigned char)copy[length / 2];
        free(copy);
    }
}

KEEP static void log_request(void)
{
    for (int again = 0; again < more_ask; again++)
        sum += getppid();
}

KEEP static void count(void)
{
    for (int again = 0; again < more_lock; again++) {
        pthread_mutex_lock(&lock);
        requests++;
        pthread_mutex_unlock(&lock);
    }
}

KEEP static void respond(int client, const char *line, size_t length)
{
    char buffer[4096];
    for (int again = 0; again < more_reply; again++)
        for (size_t i = 0; i < length; i++)
            ((volatile char *)buffer)[i] = line[i];
    if (write(client, buffer, length) < 0)
        sum++;
}

static void serve(int client)
{
    char line[4096];
    size_t held = 0;
    for (;;) {
        ssize_t got = read(client, line + held, sizeof line - held);
        if (got <= 0)
            return;
        held += (size_t)got;
        char *end;
        while ((end = memchr(line, '\n', held))) {
            size_t length = (size_t)(end - line) + 1;
            parse(line, length);
            remember(line, length);
            log_request();
            count();
            respond(client, line, length);
            memmove(line, line + length, held - length);
            held -= length;
        }
        if (held == sizeof line)
            return;
    }
}

int main(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        more_parse = strcmp(argv[i], "parse") ? more_parse : 10;
        more_allocate = strcmp(argv[i], "allocate") ? more_allocate : 4;
        more_ask = strcmp(argv[i], "ask") ? more_ask : 1;
        more_lock = strcmp(argv[i], "lock") ? more_lock : 10;
        more_reply = strcmp(argv[i], "reply") ? more_reply : 5;
    }
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
        return 1;
    for (;;) {
        int client = accept(listener, 0, 0);
        if (client >= 0) {
            serve(client);
            close(client);
        }
    }
}
