/* A tenant or a reseller that asks the agent to change limits of sites as fast as it can, and prints how often each status came.

     site-limits UID SOCKET SECONDS NAME...   changes of each NAME, in turns, with words of all kinds, some with a body

   Must not achieve: more changes than it is given, any of a site of others, lifting what its reseller has set, or an
   agent that does not answer others. */
#define _GNU_SOURCE
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* One request in a connection of its own; 0 where it was cut. */
static int status_of(const char *path, const char *request) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  char reply[64] = {0};
  int status = 0;
  const struct timeval patience = {.tv_sec = 60};
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  strncpy(to.sun_path, path, sizeof to.sun_path - 1);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
      write(fd, request, strlen(request)) == (ssize_t)strlen(request) &&
      read(fd, reply, sizeof reply - 1) > 12)
    status = atoi(reply + 9);
  close(fd);
  return status;
}

static const char *const words[] = {
    "set=processes=%d",
    "set=cpu=%d%%25",
    "set=memory=%dMiB&set=memory=%dMiB",
    "unset=processes&unset=io",
    "set=processes%%0a=%d",
    "set=%%00%%1b%%5b2J=%d",
    "set=__proto__=%d&set=constructor=%d",
    "set=processes=99999999999999999999%d",
};

int main(int argc, char **argv) {
  static char request[16384], query[512];
  long counts[600] = {0};
  if (argc < 5) return 2;
  const int uid = atoi(argv[1]);
  if (setgroups(0, NULL) != 0 || setgid((gid_t)uid) != 0 || setuid((uid_t)uid) != 0) return 2;
  signal(SIGPIPE, SIG_IGN);
  const time_t end = time(NULL) + atoi(argv[3]);
  for (unsigned i = 0; time(NULL) < end; i++) {
    const int number = (int)(i % 40) + 5;
    snprintf(query, sizeof query, words[i % (sizeof words / sizeof *words)], number, number + 1);
    snprintf(request, sizeof request, "POST /v1/tenants/%s/limits?%s HTTP/1.1\r\nHost: x\r\n%s\r\n",
             argv[4 + i % (unsigned)(argc - 4)], query, i % 9 == 8 ? "Content-Length: 900000000\r\n" : "");
    const int status = status_of(argv[2], request);
    counts[status > 0 && status < 600 ? status : 0]++;
  }
  printf("{");
  for (int i = 0, first = 1; i < 600; i++)
    if (counts[i] > 0) {
      printf("%s\"%d\":%ld", first ? "" : ",", i, counts[i]);
      first = 0;
    }
  printf("}\n");
  return 0;
}
