/* change-uid UID ROUNDS: a line a round with the microseconds of becoming that uid and root again. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CHANGES 2000

static double now(void) {
  struct timespec at;

  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  uid_t uid;

  if (argc != 3)
    return 2;
  uid = atoi(argv[1]);
  for (int round = atoi(argv[2]); round > 0; round--) {
    double begin = now();

    for (int n = 0; n < CHANGES; n++)
      if (setresuid(-1, uid, -1) != 0 || setresuid(-1, 0, -1) != 0) {
        perror("setresuid");
        return 1;
      }
    printf("%.3f\n", (now() - begin) / CHANGES);
  }
  return 0;
}
