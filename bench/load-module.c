/* load-module FILE ROUNDS: a line a round with the microseconds of loading the module and removing it, as modprobe does. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define COMPRESSED 4 /* MODULE_INIT_COMPRESSED_FILE, include/uapi/linux/module.h */

int main(int argc, char **argv) {
  char name[64];

  if (argc != 3)
    return 2;
  snprintf(name, sizeof name, "%s", strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1]);
  *strchrnul(name, '.') = 0;
  for (int round = atoi(argv[2]); round > 0; round--) {
    double begin = now_us();
    int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

    if (fd < 0 || syscall(SYS_finit_module, fd, "", strstr(argv[1], ".ko.") ? COMPRESSED : 0) != 0 ||
        syscall(SYS_delete_module, name, O_NONBLOCK) != 0) {
      perror(argv[1]);
      return 1;
    }
    close(fd);
    printf("%.3f\n", now_us() - begin);
  }
  return 0;
}
