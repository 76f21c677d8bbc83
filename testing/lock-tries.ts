/** A Perl program for tests of processes that wait for a lock, which the test itself holds as descriptor 99. */

/**
 * Waits until the process has the lock open: each try opens it for a moment, many times a second. Fails if the process ends
 * before that. Its arguments are the directory of the process in /proc, and the path of the lock.
 */
export const untilItTries = String.raw`
  my ($process, $lock) = @ARGV;
  # One that has ended has no program any more.
  while (defined readlink("$process/exe")) {
    opendir(my $list, "$process/fd") or next;
    exit 0 if grep { $_ ne 99 && (readlink("$process/fd/$_") // "") eq $lock } readdir($list);
  }
  exit 1;
`;
