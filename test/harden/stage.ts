/** A host in a directory: files as in /proc/sys, and an /etc. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultHardenSettings, planHarden, planUndo } from '../../src/harden/core/plan.ts';
import {
  applyHardenPlan,
  lockHardening,
  readOurs,
  readHardenRecord,
} from '../../src/harden/io/apply-plan.ts';
import {
  hardenPathsOf,
  recordOf,
  sysctlFile,
  sysctlReader,
  type HardenPaths,
} from '../../src/harden/io/places.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const open: Readonly<Record<string, string>> = {
  'fs.protected_symlinks': '0',
  'fs.protected_hardlinks': '1',
  'fs.protected_fifos': '0',
  'kernel.dmesg_restrict': '0',
};
export const closed: Readonly<Record<string, string>> = {
  'fs.protected_symlinks': '1',
  'fs.protected_hardlinks': '1',
  'fs.protected_fifos': '2',
  'kernel.dmesg_restrict': '1',
};

export const placesIn = (root: string): HardenPaths =>
  hardenPathsOf(
    {
      ...pathsOf(),
      proc: `${root}/proc`,
      sys: `${root}/sys`,
      etc: `${root}/etc`,
      state: `${root}/state`,
    },
    root,
  );

export class Stage implements Disposable {
  readonly #directory = temporaryDirectory('hardening', '/var/tmp');
  readonly root = this.#directory.path;
  readonly places = placesIn(this.root);

  constructor() {
    mkdirSync(join(this.root, 'etc'));
    for (const [key, value] of Object.entries(open)) this.write(key, value);
  }

  write(key: string, value: string): void {
    const file = sysctlFile(this.places, key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${value}\n`);
  }

  values(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.keys(open).map((key) => [
        key,
        readFileSync(sysctlFile(this.places, key), 'utf8').trim(),
      ]),
    );
  }

  hasFile = (): boolean => existsSync(this.places.file);
  hasRecord = (): boolean => existsSync(recordOf(this.places));

  [Symbol.dispose](): void {
    this.#directory.remove();
  }
}

/** Does what the command does, without asking. */
export function run(places: HardenPaths, undo: boolean, afterStep?: () => void) {
  const lock = lockHardening(places);
  if (!lock.ok) return lock;
  using _lock = lock.value;
  const record = readHardenRecord(places);
  if (!record.ok) return record;
  const ours = readOurs(places);
  if (!ours.ok) return ours;
  const read = sysctlReader(places);
  const isHalf = record.value.some((each) => each.undoing === true);
  const plan = undo
    ? planUndo(record.value, read, undefined)
    : isHalf
      ? planUndo(record.value, read, new Set())
      : planHarden(defaultHardenSettings, read, record.value);
  return applyHardenPlan({
    places,
    plan,
    before: record.value,
    undo: undo || isHalf,
    ...(afterStep && { afterStep }),
  });
}

/** `node stage.ts ROOT harden|undo STEP`: killed after so many steps. */
if (import.meta.main) {
  const [, , root = '', what = '', step = ''] = process.argv;
  let left = Number(step);
  const result = run(placesIn(root), what === 'undo', () => {
    if (--left === 0) process.kill(process.pid, 'SIGKILL');
  });
  process.exitCode = result.ok ? 0 : 1;
}
