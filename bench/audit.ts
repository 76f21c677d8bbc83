/**
 * `symlinks audit` of many homes, start to exit, compared with find(1) on the same tree. Only the
 * processes of this benchmark see its accounts.
 */
import { chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { runInTurn } from './floor.ts';
import { compare, type Section } from './samples.ts';
import { entry } from './start.ts';

const firstUid = 611_000;
const homes = 40;
/** Files in a directory, plus a link. */
const filesEach = 50;
const goal = 1.5;

export async function benchAudit(bench: Bench): Promise<Section> {
  const { directory, quick } = bench;
  const tree = join(directory, 'homes');
  mkdirSync(tree);
  const directories = quick ? 100 : 1000;
  for (let index = 0; index < homes; index++) makeHome(tree, index, directories);
  const policy = join(directory, 'audit-policy.xml');
  writeFileSync(
    policy,
    `<bulkhead version="1"><tenants uids="${firstUid}-${firstUid + homes - 1}"/></bulkhead>`,
    { mode: 0o600 },
  );
  const passwd = join(directory, 'passwd');
  writeFileSync(passwd, passwdText(tree));
  const inside = (...args: readonly string[]) => [
    'unshare',
    '-m',
    'sh',
    '-c',
    'mount --bind "$0" /etc/passwd && exec "$@" >/dev/null',
    passwd,
    ...args,
  ];
  const program = bench.built.command ?? [entry];
  const audit = [...program, 'symlinks', 'audit', '--policy', policy, '--json'];
  const ways = [
    ['find -type l', inside('find', tree, '-type', 'l')],
    ['bulkhead symlinks audit --no-hard-links', inside(...audit, '--no-hard-links')],
    [
      'find -type l -o -type f -links +1',
      inside('find', tree, '-type', 'l', '-o', '-type', 'f', '-links', '+1'),
    ],
    ['bulkhead symlinks audit', inside(...audit)],
  ] as const;
  const { samples, cpuMilliseconds } = await runInTurn(
    bench,
    ways.map(([, command]) => command),
  );
  const names = homes * directories * (filesEach + 2);
  return {
    name: 'audit',
    title: `Links in ${homes} homes with ${names} names, start to exit`,
    beside: 'find',
    rows: ways.map(([label], index) => {
      const floor = index - (index % 2);
      const [mine = [], its = []] = [samples[index], samples[floor]];
      const row = compare(label, mine, its, index === floor ? undefined : goal);
      const perSecond = Math.round(names / (row.ours.p50 / 1000));
      const used = cpuMilliseconds[index]?.toFixed(0) ?? '?';
      return { ...row, note: `${perSecond} names a second, ${used} ms of processor` };
    }),
    notes: ['each is beside the find above it; the tree is in the page cache'],
  };
}

function makeHome(tree: string, index: number, directories: number): void {
  const home = join(tree, `t${index}`);
  mkdirSync(home);
  const uid = firstUid + index;
  chownSync(home, uid, uid);
  for (let at = 0; at < directories; at++) {
    // Twenty directories next to each other, as in a site's tree.
    const parent = join(home, `d${Math.floor(at / 20)}`);
    const path = join(parent, `e${at}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < filesEach; file++) {
      const name = join(path, `file-${file}.php`);
      writeFileSync(name, '');
      chownSync(name, uid, uid);
    }
    symlinkSync('file-1.php', join(path, 'link'));
    lchownSync(join(path, 'link'), uid, uid);
  }
}

const passwdText = (tree: string) =>
  [
    'root:x:0:0:root:/root:/bin/sh',
    ...Array.from(
      { length: homes },
      (_, index) =>
        `t${index}:x:${firstUid + index}:${firstUid + index}::${tree}/t${index}:/bin/sh`,
    ),
    '',
  ].join('\n');
