/**
 * The score of `systemd-analyze security` for a unit with other drop-ins than it has. It is computed from copies, in a
 * directory of our own.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { namesIn } from '../../../packages/base/io/read.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import { parseExposure } from '../core/exposure.ts';
import { dropInOf, type ConfinePaths, type ConfinedService } from './places.ts';
import type { UnitNow } from './unit.ts';

/** The first version that checks files instead of loaded units. */
const offlineSince = 250;

/** Directories in use by this process. */
const inUse = new Set<string>();

/**
 * Returns the score. `text` is our drop-in's; without it the unit is scored as if there were none. Undefined if this
 * systemd cannot compute it.
 */
export async function exposureWith(
  places: ConfinePaths,
  service: ConfinedService,
  { fragment, dropIns }: Pick<UnitNow, 'fragment' | 'dropIns'>,
  { text, version }: { readonly text: string | undefined; readonly version: number },
): Promise<number | undefined> {
  if (version < offlineSince || fragment === '') return undefined;
  const ours = dropInOf(places, service);
  const root = scratchDirectory(places);
  inUse.add(root);
  try {
    const unit = `${service.unit}.service`;
    const directory = `${root}/etc/systemd/system`;
    mkdirSync(`${directory}/${unit}.d`, { recursive: true });
    copyFileSync(fragment, `${directory}/${basename(fragment)}`);
    for (const path of dropIns.filter((each) => each !== ours))
      copyFileSync(path, `${directory}/${unit}.d/${basename(path)}`);
    if (text !== undefined) writeFileSync(`${directory}/${unit}.d/${basename(ours)}`, text);
    const args = ['security', '--offline=yes', '--no-pager', `--root=${root}`, unit];
    const run = await runBounded('systemd-analyze', args);
    return run.ok ? parseExposure(Buffer.from(run.value.stdout).toString('utf8')) : undefined;
  } catch {
    // A drop-in vanished meanwhile.
    return undefined;
  } finally {
    rmSync(root, { recursive: true });
    inUse.delete(root);
  }
}

/**
 * Makes a directory named after this process, `PID-XXXXXX`. If a process is killed, the next one removes its directory.
 */
function scratchDirectory({ scratch, proc }: ConfinePaths): string {
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  for (const name of namesIn(scratch)) {
    const path = `${scratch}/${name}`;
    const pid = Number.parseInt(name, 10);
    const isUsed = pid === process.pid ? inUse.has(path) : existsSync(`${proc}/${pid}`);
    if (!isUsed) rmSync(path, { recursive: true, force: true });
  }
  return mkdtempSync(`${scratch}/${process.pid}-`);
}
