/** The Debian package: its size compared with other daemons', and dpkg's time compared with a package of one program. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LayeredRoot } from '../test/package/layered-root.ts';
import type { Bench } from './bench.ts';
import { compare, inTurn, milliseconds, type Row, type Section } from './samples.ts';

const root = new URL('..', import.meta.url).pathname;
const small = 'hello';
/** Daemons of Debian that bring their own runtime. */
const others = ['caddy', 'crowdsec', 'victoria-metrics'] as const;
/** dpkg does the same for an upgrade as for the same version once more. */
const steps = ['install', 'upgrade', 'purge'] as const;
const stepsOf = (file: string, name: string) => [
  ['-i', file],
  ['-i', file],
  ['-P', name],
];

export async function benchInstall(bench: Bench): Promise<Section> {
  const directory = join(bench.directory, 'install');
  mkdirSync(join(directory, 'layer'), { recursive: true });
  const built = buildPackage(join(directory, 'built'));
  execFileSync('apt-get', ['--quiet', 'download', small], { cwd: directory, stdio: 'pipe' });
  const smallFile = readdirSync(directory).find((name) => name.endsWith('.deb')) ?? '';
  using host = await LayeredRoot.make(join(directory, 'layer'));
  host.put(built, 'own.deb');
  host.put(join(directory, smallFile), 'small.deb');
  const dpkg =
    (...args: readonly string[]) =>
    () =>
      milliseconds(() => {
        const { status, stderr } = host.run('dpkg', '--force-depends', ...args);
        if (status !== 0) throw new Error(`dpkg ${args.join(' ')}: ${stderr}`);
      });
  const ways = [
    ...stepsOf('/mnt/own.deb', 'bulkhead').map((args) => dpkg(...args)),
    ...stepsOf('/mnt/small.deb', small).map((args) => dpkg(...args)),
  ];
  const samples = await inTurn(bench.quick ? 3 : 9, ways, bench.signal);
  const rows = steps.map((step, index): Row =>
    compare(step, samples[index] ?? [], samples[index + steps.length] ?? []),
  );
  return {
    name: 'install',
    title: 'dpkg, in a layer in memory above this host',
    beside: small,
    rows,
    notes: [`${megabytes(statSync(built).size)} MB; in Debian: ${sizes()}`],
  };
}

/** Builds the package as it is published. */
function buildPackage(output: string): string {
  const wish = ['--arch', process.arch, '--format', 'deb'];
  const args = [`${root}scripts/package.ts`, ...wish, '--output', output];
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' }).trim();
}

const sizes = () =>
  others
    .map((name) => {
      const { stdout } = spawnSync('apt-cache', ['show', name], { encoding: 'utf8' });
      const size = /^Size: (\d+)$/m.exec(stdout)?.[1];
      return `${name} ${size === undefined ? 'unknown' : megabytes(Number(size))}`;
    })
    .join(', ');

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
