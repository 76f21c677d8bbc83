/* Asks a web server on this machine, a request a connection, so that each one that is lost is counted once.
 *
 *   web-ask CLIENTS PORT HOST PATH COUNT           so many requests
 *   web-ask CLIENTS PORT HOST PATH --until FILE    until there is such a file
 *
 * Prints the microseconds of everything in the first line, then a line a request: its microseconds and its status, which is
 * "none" where there was no answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define CLIENTS_MAX 64
#define SAMPLES_MAX 1000000

struct sample {
  float microseconds;
  int status; /* 0: no answer */
};

struct client {
  pthread_t thread;
  struct sample *samples;
  long count;
};

static struct sockaddr_in address = {.sin_family = AF_INET};
static char request[512];
static const char *file;
static long each;

static int ask(void) {
  char answer[4096];
  ssize_t more, got = 0;
  int status = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return 0;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      write(fd, request, strlen(request)) == (ssize_t)strlen(request)) {
    while (got < (ssize_t)sizeof answer - 1 &&
           (more = read(fd, answer + got, sizeof answer - 1 - got)) > 0)
      got += more;
    answer[got] = 0;
    if (sscanf(answer, "HTTP/%*s %d", &status) != 1)
      status = 0;
  }
  close(fd);
  return status;
}

static int goes_on(const struct client *client) {
  if (client->count == SAMPLES_MAX)
    return 0;
  return file == NULL ? client->count < each : access(file, F_OK) != 0;
}

static void *work(void *argument) {
  struct client *client = argument;

  while (goes_on(client)) {
    double begin = now_us();
    struct sample *sample = client->samples + client->count++;

    sample->status = ask();
    sample->microseconds = now_us() - begin;
    /* What answers at once that it cannot must not be counted more often than what serves. */
    if (sample->status != 200)
      usleep(50000);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static struct client clients[CLIENTS_MAX];
  int count = argc > 1 ? atoi(argv[1]) : 0;
  double begin;

  if (argc < 6 || argc > 7 || count < 1 || count > CLIENTS_MAX)
    return 2;
  address.sin_port = htons(atoi(argv[2]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", argv[4], argv[3]);
  if (argc == 7)
    file = argv[6];
  else
    each = (atol(argv[5]) + count - 1) / count;
  signal(SIGPIPE, SIG_IGN);
  begin = now_us();
  for (struct client *client = clients; client < clients + count; client++) {
    client->samples = calloc(SAMPLES_MAX, sizeof *client->samples);
    if (client->samples == NULL || pthread_create(&client->thread, NULL, work, client) != 0) {
      perror("web-ask");
      return 1;
    }
  }
  for (int n = 0; n < count; n++)
    pthread_join(clients[n].thread, NULL);
  printf("%.0f\n", now_us() - begin);
  for (int n = 0; n < count; n++)
    for (long at = 0; at < clients[n].count; at++) {
      const struct sample *sample = clients[n].samples + at;

      printf(sample->status == 0 ? "%.0f none\n" : "%.0f %d\n", sample->microseconds, sample->status);
    }
  return 0;
}
