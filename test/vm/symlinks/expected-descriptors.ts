/** The results that descriptors.c must report, without the guard and with it. */

const lines = (text: string): readonly string[] =>
  text
    .trim()
    .split('\n')
    .map((each) => each.trim());

export const withoutGuard = lines(`
  as nginx, own: own
  as nginx, other: SECRET
  as nginx, other, with fstat: SECRET
  below it: SECRET
  stat below it: ok
  below it, once more: SECRET
  an absolute path beside it: SECRET
  fstat: ok
  fstatat of nothing: ok
  by /proc/self/fd: SECRET
  opened again with O_PATH: SECRET
  a copy: SECRET
  by open_tree of it: SECRET
  by open_tree of the link: SECRET
  in a child: SECRET
  passed on: ok
  fchdir: ok
  without a link: SECRET
  without a link, with O_PATH: SECRET
  stat when they are closed: ok
  chdir when they are closed: ok
  statfs: ok
  listxattr: ok
  getxattr: ok
  getxattr of the system's: ok
  chmod: ok
  chmod without a link: ok
`);

/** Cases that the guard does not affect: they have no link. */
const unaffected =
  /^(as nginx, own|an absolute path|without a link|stat when|chdir when|chmod without)/;

export const withGuard: readonly string[] = withoutGuard.flatMap((line) => {
  if (unaffected.test(line)) return [line];
  if (line === 'passed on: ok') return ['passed on: nothing came'];
  const refused = line.replace(/: .*/, ': EACCES');
  return line.startsWith('as nginx, other, with fstat') ? ['fstat: EACCES', refused] : [refused];
});
