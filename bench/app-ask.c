/* Asks an application at a unix socket once, and prints the microseconds until its answer has ended: app-ask SOCKET
 *
 * An answer that is not an application's is an error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  static const char request[] = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char answer[65536];
  size_t length = 0;
  ssize_t got;
  double begun;
  int fd;

  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
    fprintf(stderr, "usage: app-ask SOCKET\n");
    return 2;
  }
  strcpy(address.sun_path, argv[1]);
  begun = now_us();
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
    fail(argv[1]);
  if (write(fd, request, sizeof request - 1) != sizeof request - 1)
    fail("write");
  while ((got = read(fd, answer + length, sizeof answer - 1 - length)) > 0)
    length += (size_t)got;
  answer[length] = '\0';
  if (got < 0 || !strstr(answer, " 200 OK") || !strstr(answer, "hello")) {
    fprintf(stderr, "no answer: %s\n", answer);
    return 1;
  }
  printf("%.0f\n", now_us() - begun);
  return 0;
}
