/**
 * Builds a DKMS package's modules in the jail, with Debian's own dkms. The result is an oracle for code that reads
 * dkms.conf without dkms.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runInJail } from '../../packages/modules/io/rebuild/sandbox.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import type { KernelBuild } from '../../packages/modules/io/kernel/kernel-build.ts';
import { kernelMounts } from '../../packages/modules/io/rebuild/dkms-build.ts';
import type { DkmsSource } from './packages.ts';
import { formatProblem, type Cause } from '../../packages/base/problem.ts';
import { makeJailCgroup } from '../../src/modules/io/sandbox-cgroup.ts';

const tree = '/var/lib/dkms';

/**
 * The script in the jail. dkms checks that it is root, which nobody is in the jail. The built modules leave it as an
 * archive.
 */
const script = `
name=$1 version=$2 release=$3 headers=$4
mkdir /tmp/bin
printf '#!/bin/sh\\necho 0\\n' >/tmp/bin/id
chmod 755 /tmp/bin/id
PATH=/tmp/bin:$PATH
for step in add build; do
  bash /usr/src/dkms $step -m "$name" -v "$version" -k "$release" --force --kernelsourcedir "$headers" </dev/null 2>&1 || failed=1
  [ -z "$failed" ] || { cat ${tree}/"$name"/"$version"/build/make.log 2>/dev/null; exit 1; }
done
exec tar -cf - -C ${tree} --exclude=source --exclude=build --exclude='kernel-*' "$name/$version" >&3
`;

/** Builds `NAME/VERSION/RELEASE/ARCH/module/X.ko` below `into`, as in /var/lib/dkms. */
export async function buildByDkms(
  source: DkmsSource,
  build: KernelBuild,
  program: string,
  into: string,
): Promise<Result<true, Cause>> {
  const { name, version, directory } = source;
  const place = `/usr/src/${name}-${version}`;
  const run = await runInJail({
    makeCgroup: makeJailCgroup,
    command: ['bash', '-c', script, 'sh', name, version, build.release, build.headers],
    writable: tree,
    mounts: [
      { from: undefined, to: '/usr/src' },
      ...build.mounts,
      ...kernelMounts(build),
      { from: program, to: '/usr/src/dkms' },
      { from: directory, to: place },
    ],
    // The maker of BTF need not be installed.
    environment: { MAKEFLAGS: ' -- CONFIG_DEBUG_INFO_BTF_MODULES=' },
    // Against hanging only: the largest need half an hour of a processor.
    limits: { wallSeconds: 4 * 3600, cpuSeconds: 2 * 3600 },
  });
  if (!run.ok) return fail({ reason: formatProblem(run.error) });
  const { end, lastLines, result } = run.value;
  if (end.kind !== 'exit') return fail({ reason: `dkms ${end.message}` });
  if (end.status !== 0) return fail({ reason: reasonIn(lastLines) });
  mkdirSync(into, { recursive: true });
  const unpacked = spawnSync('tar', ['-xf', '-', '-C', into, '--no-same-owner'], { input: result });
  return unpacked.status === 0 ? ok(true) : fail({ reason: `tar: ${unpacked.stderr.toString()}` });
}

/** Returns the directory of the modules below `into`, the argument of `buildByDkms`. */
export const modulesDirectory = (into: string, { name, version }: DkmsSource, release: string) =>
  join(into, name, version, release, 'x86_64/module');

function reasonIn(lines: readonly string[]): string {
  const at = lines.findIndex((line) => /\berror\b|Error!/i.test(line));
  const [error = '', next = ''] = at < 0 ? lines.slice(-1) : lines.slice(at);
  // configure explains on the line after "error:".
  return `${error.trim()}${/:\s*$/.test(error) ? ` ${next.trim()}` : ''}`.slice(0, 300);
}
