/* A line server that does next to nothing itself, and as much more as it is told.
 *
 * usage: spare_line PORT LOOPS */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 256

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct pollfd polled[CLIENTS_MAX];
	int count = 1, yes = 1;
	long loops;

	if (argc != 3)
		return 2;
	loops = atol(argv[2]);
	address.sin_port = htons(atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	polled[0].fd = socket(AF_INET, SOCK_STREAM, 0);
	polled[0].events = POLLIN;
	setsockopt(polled[0].fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(polled[0].fd, (struct sockaddr *)&address, sizeof address) || listen(polled[0].fd, 64))
		return 1;
	for (;;) {
		poll(polled, count, -1);
		for (int i = count - 1; i > 0; i--) {
			char line[65536];
			ssize_t size;

			if (!polled[i].revents)
				continue;
			size = read(polled[i].fd, line, sizeof line);
			if (size <= 0 || write(polled[i].fd, line, size) != size) {
				close(polled[i].fd);
				polled[i] = polled[--count];
				continue;
			}
			for (volatile long left = loops; left > 0; left--)
				;
		}
		if (polled[0].revents && count < CLIENTS_MAX) {
			polled[count].fd = accept(polled[0].fd, NULL, NULL);
			polled[count].events = POLLIN;
			polled[count].revents = 0;
			setsockopt(polled[count].fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
			if (polled[count].fd >= 0)
				count++;
		}
	}
}
