/**
 * Files that keep the gate across boots and new kernels. A unit loads the list before anything else
 * loads modules. A hook of kernel packages makes the list of a newly installed kernel.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { makeWantsLink } from '../../../host/systemd/wants-link.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { packageFile } from '../../../sys/package-files.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { removeIfThere, replaceFile } from '../../../../packages/base/io/replace-file.ts';

const unit = 'bulkhead-modules-gate.service';

const unitPath = ({ etc }: Paths) => `${etc}/systemd/system/${unit}`;
/**
 * Returns the link that starts the unit before the units that load modules, which sysinit.target
 * waits for.
 */
const wantedPath = ({ etc }: Paths) => `${etc}/systemd/system/sysinit.target.wants/${unit}`;
/**
 * Returns the hook of kernel packages. run-parts sorts by name, so it runs after dkms, which has
 * built its modules by then.
 */
const hookPath = ({ etc }: Paths) => `${etc}/kernel/postinst.d/zz-bulkhead-modules`;

/** The mark of a file that Bulkhead wrote, and so may remove. */
const mark = '# Written by "bulkhead modules gate"';

const hookText = (program: string) => `#!/bin/sh
${mark}; "bulkhead modules gate disable" removes it.
# A kernel has been installed, and DKMS has built its modules: judge them before they are needed.
if [ -x ${program} ]; then
  ${program} modules gate sync "$1" || echo "bulkhead: modules of Linux $1 were not judged; the gate cannot be on for it" >&2
fi
exit 0
`;

/**
 * Installs the files and returns their paths. Without systemd, or without the directory of hooks,
 * that part is left out.
 */
export function installBootFiles(paths: Paths): Result<readonly string[], Problem> {
  const program = packageFile('bulkhead');
  const written: string[] = [];
  if (existsSync(dirname(unitPath(paths)))) {
    const text = readFileSync(packageFile(`packaging/${unit}`), 'utf8');
    const own = text.replaceAll('/usr/bin/env bulkhead', program);
    const done = write(unitPath(paths), `${mark}\n${own}`, 0o644);
    if (done !== undefined) return failed(done);
    const linked = makeWantsLink(wantedPath(paths));
    if (!linked.ok) return linked;
    written.push(unitPath(paths), wantedPath(paths));
  }
  if (existsSync(dirname(hookPath(paths)))) {
    const done = write(hookPath(paths), hookText(program), 0o755);
    if (done !== undefined) return failed(done);
    written.push(hookPath(paths));
  }
  reloadUnits(paths);
  return ok(written);
}

function write(path: string, text: string, mode: number): Problem | undefined {
  const there = readText(path);
  if (there === text) return undefined;
  if (there !== undefined && !there.includes(mark)) {
    const reason = 'a file of that name is there that Bulkhead did not write';
    return { action: 'write', object: path, reason, hint: 'move it away' };
  }
  const written = replaceFile(path, text, mode);
  return written.ok ? undefined : written.error;
}

export const hasBootFiles = (paths: Paths): boolean =>
  [unitPath(paths), hookPath(paths)].some((path) => readText(path)?.includes(mark) === true);

export function removeBootFiles(paths: Paths): Result<void, Problem> {
  for (const path of [wantedPath(paths), unitPath(paths), hookPath(paths)]) {
    const isOurs = path === wantedPath(paths) || readText(path)?.includes(mark) === true;
    if (!isOurs) continue;
    try {
      removeIfThere(path);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'remove', object: path });
    }
  }
  reloadUnits(paths);
  return ok(undefined);
}

/** Reloads units, best effort: systemd reads the same files at the next boot. */
function reloadUnits({ etc }: Paths): void {
  if (etc !== '/etc' || !existsSync('/run/systemd/system')) return;
  try {
    execFileSync('systemctl', ['daemon-reload'], { stdio: 'ignore', timeout: 60_000 });
  } catch {
    // systemd is busy or broken; nothing here depends on it.
  }
}
