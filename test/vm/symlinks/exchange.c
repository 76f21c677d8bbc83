/* A tenant that exchanges two names as fast as it can, and somebody who asks a web server for what is behind one:
 *
 *   exchange UID FIRST SECOND PORT PATH REQUESTS
 *
 * It prints how many answers had SECRET in them ("leaked"), how many had another text, and how many were refused. Of
 * REQUESTS below zero, that many at most, and no more once one leaked. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void exchange(unsigned uid, const char *first, const char *second) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setgroups(0, NULL) || setgid(uid) || setuid(uid))
    exit(1);
  for (;;)
    if (renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)) {
      perror("exchange");
      exit(1);
    }
}

/* The whole answer, as much of it as fits. */
static void ask(int port, const char *path, char *answer, size_t bytes) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  size_t length = 0;
  ssize_t got;

  answer[0] = 0;
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
    perror("connect");
    exit(1);
  }
  dprintf(fd, "GET %s HTTP/1.0\r\nHost: a\r\n\r\n", path);
  while (length + 1 < bytes && (got = read(fd, answer + length, bytes - length - 1)) > 0)
    length += got;
  answer[length] = 0;
  close(fd);
}

int main(int argc, char **argv) {
  if (argc != 7)
    return 2;
  long wanted = atol(argv[6]), requests = labs(wanted), done, leaked = 0, own = 0, refused = 0;
  pid_t tenant = fork();

  if (!tenant)
    exchange(atoi(argv[1]), argv[2], argv[3]);
  for (done = 0; done < requests && (wanted > 0 || leaked == 0); done++) {
    char answer[8192];

    ask(atoi(argv[4]), argv[5], answer, sizeof answer);
    if (strstr(answer, "SECRET"))
      leaked++;
    else if (strstr(answer, " 200 "))
      own++;
    else
      refused++;
  }
  if (waitpid(tenant, NULL, WNOHANG))
    return 1;
  kill(tenant, SIGKILL);
  printf("leaked %ld own %ld refused %ld\n", leaked, own, refused);
  return 0;
}
