/* The smallest application: it answers every request with "hello". It takes its socket from systemd, at descriptor 3, or
 * listens at the path in PORT. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listening(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = getenv("PORT");
  int fd;

  if (getenv("LISTEN_FDS"))
    return 3;
  if (!path || strlen(path) >= sizeof address.sun_path)
    return -1;
  strcpy(address.sun_path, path);
  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16) ? -1 : fd;
}

int main(void) {
  static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
  char request[4096];
  int fd = listening();

  if (fd < 0)
    return 1;
  for (;;) {
    int visitor = accept(fd, NULL, NULL);

    if (visitor < 0 || read(visitor, request, sizeof request) <= 0 ||
        write(visitor, answer, sizeof answer - 1) < 0)
      return 1;
    close(visitor);
  }
}
