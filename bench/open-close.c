/* open-close ROUNDS PATH...: in each round, a line a path with the microseconds of an open and a close. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

#define OPENS 2000

int main(int argc, char **argv) {
  if (argc < 3)
    return 2;
  for (int round = atoi(argv[1]); round > 0; round--)
    for (int i = 2; i < argc; i++) {
      double begin = now_us();

      for (int n = 0; n < OPENS; n++) {
        int fd = open(argv[i], O_RDONLY);

        if (fd < 0) {
          perror(argv[i]);
          return 1;
        }
        close(fd);
      }
      printf("%.3f\n", (now_us() - begin) / OPENS);
    }
  return 0;
}
