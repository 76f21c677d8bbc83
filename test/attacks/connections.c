/* A tenant that keeps the agent's connections busy.

     connections UID idle PORT COUNT   opens so many and says nothing on them; each that is dropped is opened again
     connections UID body PORT|PATH    sends a request whose body has no end; prints how many bytes were taken

   Must not achieve: a client with the token that gets no answer, or a body that is read for ever. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int reach(const char *where, int how) {
  const int port = atoi(where);
  struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  strncpy(local.sun_path, where, sizeof local.sun_path - 1);
  const int to = socket(port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | how, 0);
  const int failed = port ? connect(to, (struct sockaddr *)&tcp, sizeof tcp)
                          : connect(to, (struct sockaddr *)&local, sizeof local);
  if (failed == 0 || errno == EINPROGRESS) return to;
  close(to);
  return -1;
}

static int idle(const char *where, int count) {
  struct pollfd *all = calloc((size_t)count, sizeof *all);
  if (all == NULL) return 1;
  for (int i = 0; i < count; i++) all[i] = (struct pollfd){.fd = -1, .events = POLLIN};
  for (long dropped = 0;;) {
    for (int i = 0; i < count; i++) {
      char byte;
      if (all[i].fd >= 0 && all[i].revents != 0 && recv(all[i].fd, &byte, 1, MSG_DONTWAIT) <= 0) {
        close(all[i].fd);
        all[i].fd = -1;
        dropped++;
      }
      if (all[i].fd < 0) all[i].fd = reach(where, SOCK_NONBLOCK);
    }
    printf("%ld\n", dropped);
    fflush(stdout);
    poll(all, (nfds_t)count, 100);
  }
}

static int body(const char *where) {
  static const char head[] = "GET /v1/top HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  static char chunk[7 + 65536 + 2] = "10000\r\n";
  memset(chunk + 7, 'x', 65536);
  memcpy(chunk + 7 + 65536, "\r\n", 2);
  const int to = reach(where, 0);
  if (to < 0 || send(to, head, sizeof head - 1, MSG_NOSIGNAL) < 0) return 1;
  long long taken = 0;
  for (ssize_t sent; (sent = send(to, chunk, sizeof chunk, MSG_NOSIGNAL)) >= 0 || errno == EINTR;)
    if (sent > 0) taken += sent;
  printf("%lld\n", taken);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const uid_t uid = (uid_t)atol(argv[1]);
  if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return 1;
  if (strcmp(argv[2], "idle") == 0 && argc > 4) return idle(argv[3], atoi(argv[4]));
  return body(argv[3]);
}
