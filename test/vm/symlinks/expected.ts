/** The results that cases.ts must report, without the guard and with it. */

type State = 'off' | 'on';

const same = (result: string) => ({ off: result, on: result });
const refused = (off: string) => ({ off, on: 'EACCES' });

const table: Readonly<Record<string, Readonly<Record<State, string>>>> = {
  // The owner of the link owns what it leads to.
  'open own': same('ok own'),
  'open owndir/f': same('ok own'),
  'open chain': same('ok own'),
  'open relative': same('ok own'),
  'stat own': same('ok'),
  'access own': same('ok'),
  'chdir owndir': same('ok own'),
  // A directory of the owner's; what is in it may be anybody's.
  'open owndir/by-server': same('ok served'),
  'open 7 links within links': same('ok'),
  // More than the guard remembers.
  'open 10 links within links': refused('ok'),

  'open other': refused('ok SECRET'),
  'open otherdir/secret': refused('ok SECRET'),
  'open otherdir/dir/f': refused('ok SECRET'),
  'open other-relative': refused('ok SECRET'),
  'open chain-other': refused('ok SECRET'),
  'open nested/f': refused('ok SECRET'),
  'open through-own': refused('ok SECRET'),
  'open passwd': refused('ok root:x:0:0:root:/roo'),
  'open abs/www/secret': refused('ok SECRET'),
  'open bound': refused('ok SECRET'),
  // These go through bob's link to a file of bob's, or of alice's: the link is not alice's own.
  'open via-bob': refused('ok SECRET'),
  'open round-trip': refused('ok own'),
  // Root's links are trusted; a link of alice's that leads to one is not.
  'open by-root': same('ok SECRET'),
  'open via-root': refused('ok SECRET'),
  // The files of /proc belong to the server itself, or to root.
  'open proc': refused('ok Name:\tnode-MainThrea'),
  'open proc-root': refused('ok SECRET'),
  'open loop': same('ELOOP'),

  'stat other': refused('ok'),
  'stat otherdir': refused('ok'),
  'stat otherdir/secret': refused('ok'),
  'access other': refused('ok'),
  'list otherdir': refused('ok'),
  'chdir otherdir': refused('ok SECRET'),
  'watch other': refused('ok'),
  'exec program': refused('ok'),
  'connect sock': refused('ok'),
  'truncate other': same('EACCES'),
  'utimes other': same('EPERM'),

  'create at create': refused('ok'),
  'create in otherdir': refused('ok'),
  'mkdir in otherdir': refused('ok'),
  'rename into otherdir': refused('ok'),
  'unlink other': same('EACCES'),
  'symlink in otherdir': refused('ok'),
  // The directory in which it is made is alice's; the file that is there afterwards is the server's.
  'create at create-own': same('ok'),
  'create-own once more': refused('ok'),

  // These follow no link.
  'lstat other': same('ok'),
  'readlink other': same('ok /home/bob/www/secret'),
  'open without a link': same('ok SECRET'),
  'exec /home/bob/www/program': same('ok'),
  'connect /home/bob/www/sock': same('ok'),
  'open /proc/self/fd of a file that is open': same('ok SECRET'),

  // A refusal has no effect on what comes after it.
  '(refused)': refused('ok'),
  'fstat after a refusal': same('ok'),
  'list after a refusal': same('ok'),

  'open through a file that O_PATH opened': refused('ok SECRET'),
};

export const expected = (state: State): Record<string, string> =>
  Object.fromEntries(Object.entries(table).map(([name, of]) => [name, of[state]]));
