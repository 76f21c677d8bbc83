/** What `systemd-analyze security` says of a unit with other drop-ins than it has: of copies, in a directory of our own. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import { parseExposure } from '../core/exposure.ts';
import { dropInOf, type Places, type Service } from './places.ts';
import type { UnitNow } from './unit.ts';

/** The first that judges files instead of what is loaded. */
const offlineSince = 250;

/** `text`: of our drop-in; without it the unit is judged as if there were none. Nothing where this systemd cannot tell. */
export async function exposureWith(
  places: Places,
  service: Service,
  { fragment, dropIns }: UnitNow,
  { text, version }: { readonly text: string | undefined; readonly version: number },
): Promise<number | undefined> {
  if (version < offlineSince || fragment === '') return undefined;
  const ours = dropInOf(places, service);
  const root = mkdtempSync(`${tmpdir()}/bulkhead-exposure-`);
  try {
    const unit = `${service.unit}.service`;
    const directory = `${root}/etc/systemd/system`;
    mkdirSync(`${directory}/${unit}.d`, { recursive: true });
    copyFileSync(fragment, `${directory}/${basename(fragment)}`);
    for (const path of dropIns.filter((each) => each !== ours))
      copyFileSync(path, `${directory}/${unit}.d/${basename(path)}`);
    if (text !== undefined) writeFileSync(`${directory}/${unit}.d/${basename(ours)}`, text);
    const words = ['security', '--offline=yes', '--no-pager', `--root=${root}`, unit];
    const run = await runBounded('systemd-analyze', words);
    return run.ok ? parseExposure(Buffer.from(run.value.stdout).toString('utf8')) : undefined;
  } catch {
    // A drop-in that vanished meanwhile.
    return undefined;
  } finally {
    rmSync(root, { recursive: true });
  }
}
