/* A tenant that exchanges two names as fast as it can, and somebody who asks a server for what is behind one:
 *
 *   exchange UID FIRST SECOND PORT PATH REQUESTS [USER PASSWORD]
 *
 * The server speaks HTTP, or FTP if there is a USER. Prints how many answers had SECRET in them ("leaked"), how many had
 * another text, and how many were refused. REQUESTS below zero are a limit, and the first leak ends them. */
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

enum outcome { LEAKED, OWN, REFUSED };

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

static int connected(int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
    perror("connect");
    exit(1);
  }
  return fd;
}

/* All that comes until the other side closes, as much of it as fits. */
static void read_all(int fd, char *text, size_t bytes) {
  size_t length = 0;
  ssize_t got;

  while (length + 1 < bytes && (got = read(fd, text + length, bytes - length - 1)) > 0)
    length += got;
  text[length] = 0;
  close(fd);
}

static enum outcome ask_http(int port, const char *path) {
  char answer[8192];
  int fd = connected(port);

  dprintf(fd, "GET %s HTTP/1.0\r\nHost: a\r\n\r\n", path);
  read_all(fd, answer, sizeof answer);
  return strstr(answer, "SECRET") ? LEAKED : strstr(answer, " 200 ") ? OWN : REFUSED;
}

/* Sends a command, and reads the last line of its reply: three digits and a blank. */
static int say(FILE *control, const char *command, const char *word, char *line, size_t bytes) {
  if (command && fprintf(control, "%s %s\r\n", command, word) < 0)
    exit(1);
  do
    if (!fgets(line, bytes, control)) {
      fprintf(stderr, "%s %s: the server has closed the connection\n", command, word);
      exit(1);
    }
  while (strspn(line, "0123456789") != 3 || line[3] != ' ');
  return atoi(line);
}

static FILE *log_in(int port, const char *user, const char *password) {
  FILE *control = fdopen(connected(port), "r+");
  char line[1024];

  setvbuf(control, NULL, _IONBF, 0);
  say(control, NULL, NULL, line, sizeof line);
  say(control, "USER", user, line, sizeof line);
  if (say(control, "PASS", password, line, sizeof line) != 230) {
    fprintf(stderr, "log in: %s", line);
    exit(1);
  }
  say(control, "TYPE", "I", line, sizeof line);
  return control;
}

static enum outcome ask_ftp(FILE *control, const char *path) {
  char line[1024], text[8192];
  char *port;

  if (say(control, "EPSV", "", line, sizeof line) != 229 || !(port = strstr(line, "|||"))) {
    fprintf(stderr, "EPSV: %s", line);
    exit(1);
  }
  int fd = connected(atoi(port + 3));
  int reply = say(control, "RETR", path, line, sizeof line);
  if (reply == 550) {
    close(fd);
    return REFUSED;
  }
  if (reply >= 400) {
    fprintf(stderr, "RETR: %s", line);
    exit(1);
  }
  read_all(fd, text, sizeof text);
  say(control, NULL, NULL, line, sizeof line);
  return strstr(text, "SECRET") ? LEAKED : OWN;
}

int main(int argc, char **argv) {
  if (argc != 7 && argc != 9)
    return 2;
  long wanted = atol(argv[6]), requests = labs(wanted), counts[3] = {0};
  int port = atoi(argv[4]);
  FILE *control = argc == 9 ? log_in(port, argv[7], argv[8]) : NULL;
  pid_t tenant = fork();

  if (!tenant)
    exchange(atoi(argv[1]), argv[2], argv[3]);
  for (long done = 0; done < requests && (wanted > 0 || !counts[LEAKED]); done++)
    counts[control ? ask_ftp(control, argv[5]) : ask_http(port, argv[5])]++;
  if (waitpid(tenant, NULL, WNOHANG))
    return 1;
  kill(tenant, SIGKILL);
  printf("leaked %ld own %ld refused %ld\n", counts[LEAKED], counts[OWN], counts[REFUSED]);
  return 0;
}
