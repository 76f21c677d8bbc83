/*
 * Becomes the tenant UID as a login does, starts COUNT processes at once, before anybody can have placed
 * them, and waits until its standard input ends.
 *
 *     many UID COUNT
 *
 * It must not stand above its limit of processes without that being counted as a fault.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  uid_t uid = (uid_t)atol(argv[1]);
  int count = atoi(argv[2]);
  int gate[2];
  if (pipe(gate) != 0) return 3;
  if (setresuid(uid, uid, uid) != 0) return 4;
  int started = 0;
  for (int each = 0; each < count; each++) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      char byte;
      close(gate[1]);
      /* Ends with its parent, who alone holds the other end. */
      while (read(gate[0], &byte, 1) > 0) continue;
      _exit(0);
    }
    started++;
  }
  printf("%d\n", started);
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) continue;
  return 0;
}
