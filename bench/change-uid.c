/* change-uid UID ROUNDS: a line a round with the microseconds of becoming that uid and root again. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

#define CHANGES 2000

int main(int argc, char **argv) {
  uid_t uid;

  if (argc != 3)
    return 2;
  uid = atoi(argv[1]);
  for (int round = atoi(argv[2]); round > 0; round--) {
    double begin = now_us();

    for (int n = 0; n < CHANGES; n++)
      if (setresuid(-1, uid, -1) != 0 || setresuid(-1, 0, -1) != 0) {
        perror("setresuid");
        return 1;
      }
    printf("%.3f\n", (now_us() - begin) / CHANGES);
  }
  return 0;
}
