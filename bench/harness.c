/* Prints the start-to-exit latency of a command in milliseconds, a sample a line.
 *
 *   harness COUNT GAP_MS COMMAND [ARGUMENT]...
 *
 * In C since starting a process costs Node more than what is measured. The idle gap matters: back to
 * back, the kernel's grace periods are already under way, and moves between cgroups look cheap. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: harness COUNT GAP_MS COMMAND [ARGUMENT]...\n");
    return 2;
  }
  const long gap_ms = atol(argv[2]);
  const struct timespec gap = {gap_ms / 1000, gap_ms % 1000 * 1000000};
  for (long left = atol(argv[1]); left > 0; left--) {
    pid_t child;
    int status;
    nanosleep(&gap, NULL);
    const double begin = now_ms();
    if (posix_spawnp(&child, argv[3], NULL, NULL, argv + 3, environ) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
      fprintf(stderr, "harness: cannot run %s\n", argv[3]);
      return 1;
    }
    printf("%.4f\n", now_ms() - begin);
  }
  return 0;
}
