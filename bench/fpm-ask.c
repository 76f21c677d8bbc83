/* Asks a PHP-FPM itself, without a web server, a request a connection.
 *
 *   fpm-ask SOCKET SCRIPT COUNT                                    whoever has the socket
 *   fpm-ask SOCKET SCRIPT --start UID LISTEN PROGRAM [ARGUMENT]... makes the socket, and starts that as UID with it
 *
 * Prints a line a request with its microseconds: from before the connection, or before the start, until the answer has
 * ended. LISTEN is what the configuration calls the socket: it is handed over as systemd does, listening already. What was
 * started is ended. An answer that is not the script's is an error. */
#define _GNU_SOURCE
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define PASSED 3 /* the first descriptor that systemd passes */

/* Types of records, fastcgi.com/devkit/doc/fcgi-spec.html */
enum { BEGIN = 1, PARAMS = 4, STDIN = 5 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static size_t record(uint8_t *to, int type, const void *content, size_t bytes) {
  const uint8_t head[8] = {1, type, 0, 1, bytes >> 8, bytes & 0xff, 0, 0};

  memcpy(to, head, sizeof head);
  if (bytes > 0)
    memcpy(to + sizeof head, content, bytes);
  return sizeof head + bytes;
}

/* Names and values are shorter than 128 bytes. */
static size_t pair(uint8_t *to, const char *name, const char *value) {
  size_t names = strlen(name), values = strlen(value);

  to[0] = names;
  to[1] = values;
  memcpy(to + 2, name, names);
  memcpy(to + 2 + names, value, values);
  return 2 + names + values;
}

static size_t request_for(const char *script, uint8_t *to) {
  static const uint8_t responder[8] = {0, 1};
  uint8_t parameters[512];
  size_t bytes, at;

  at = pair(parameters, "SCRIPT_FILENAME", script);
  at += pair(parameters + at, "SCRIPT_NAME", "/index.php");
  at += pair(parameters + at, "REQUEST_METHOD", "GET");
  bytes = record(to, BEGIN, responder, sizeof responder);
  bytes += record(to + bytes, PARAMS, parameters, at);
  bytes += record(to + bytes, PARAMS, NULL, 0);
  return bytes + record(to + bytes, STDIN, NULL, 0);
}

static struct sockaddr_un address_of(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  if (strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "fpm-ask: %s is too long\n", path);
    exit(2);
  }
  strcpy(address.sun_path, path);
  return address;
}

static void ask(const char *path, const char *script) {
  struct sockaddr_un address = address_of(path);
  uint8_t request[1024];
  char answer[65536];
  size_t bytes = request_for(script, request), got = 0;
  ssize_t more;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
    fail(path);
  if (write(fd, request, bytes) != (ssize_t)bytes)
    fail("write");
  while ((more = read(fd, answer + got, sizeof answer - got)) > 0)
    got += more;
  if (more < 0)
    fail("read");
  close(fd);
  if (memmem(answer, got, "\r\n\r\nok", 6) == NULL) {
    fprintf(stderr, "fpm-ask: no such answer is expected from %s: %.*s\n", path, (int)got, answer);
    exit(1);
  }
}

static int listening(const char *path) {
  struct sockaddr_un address = address_of(path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);

  unlink(path);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 511) != 0)
    fail(path);
  return fd;
}

static void run(int fd, uid_t uid, const char *name, char **command) {
  char sockets[256];

  snprintf(sockets, sizeof sockets, "%s=%d", name, PASSED);
  setenv("FPM_SOCKETS", sockets, 1);
  if (fd != PASSED && dup2(fd, PASSED) < 0)
    fail("dup2");
  if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
    fail("setresuid");
  execv(*command, command);
  fail(*command);
}

static void start(const char *path, const char *script, char **words) {
  int fd = listening(path), status;
  double begin = now_us();
  pid_t child = fork();

  if (child < 0)
    fail("fork");
  if (child == 0)
    run(fd, atoi(words[0]), words[1], words + 2);
  /* If it ends, so does the connection. */
  close(fd);
  ask(path, script);
  printf("%.0f\n", now_us() - begin);
  kill(child, SIGQUIT);
  if (waitpid(child, &status, 0) != child)
    fail("waitpid");
  unlink(path);
}

int main(int argc, char **argv) {
  if (argc > 6 && strcmp(argv[3], "--start") == 0) {
    start(argv[1], argv[2], argv + 4);
    return 0;
  }
  if (argc != 4)
    return 2;
  for (int left = atoi(argv[3]); left > 0; left--) {
    double begin = now_us();

    ask(argv[1], argv[2]);
    printf("%.0f\n", now_us() - begin);
  }
  return 0;
}
