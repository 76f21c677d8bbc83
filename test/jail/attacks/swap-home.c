/*
 * Puts a symbolic link in the place of HOME and the directory back, as fast as it can, until it is killed: what whoever
 * owns the directory above would do while root builds the jail.
 *
 *     swap-home HOME ASIDE TARGET
 */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  for (;;) {
    if (rename(argv[1], argv[2]) != 0) return 3;
    if (symlink(argv[3], argv[1]) != 0) return 4;
    if (unlink(argv[1]) != 0) return 5;
    if (rename(argv[2], argv[1]) != 0) return 6;
  }
}
