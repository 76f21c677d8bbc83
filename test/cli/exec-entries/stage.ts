/** The common part of tests of `bulkhead exec --entry`: a tenant without an account, whose entries are limited. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { afterEach, beforeEach } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { formatEntrySlots } from '../../../src/host/entry-slots.ts';
import {
  assertRefused,
  instance,
  launch,
  uidWithoutAccount,
  useTenantWithoutAccount,
} from '../exec-stage.ts';
import { launcher } from '../../../testing/launcher.ts';

export const account = String(uidWithoutAccount);
export const options = { options: ['--entry'] };
export const entries = `/run/${instance}/entries`;

export const slots = () => `${entries}/${account}`;

/** Writes a limit as apply does. */
export function limitEntries(limit: number, reseller?: number, directory = slots()): void {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const text = formatEntrySlots({ limit, ...(reseller === undefined ? {} : { reseller }) });
  fs.writeFileSync(`${directory}/limit`, text);
}

/** Starts a script in an entry, and returns once it has printed "entered", with the output until then. */
async function enter(
  script: string,
  options: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly printed: string }> {
  const own = ['--instance', instance, '--entry', ...options, account, '--'];
  const child = spawn(launcher, [...own, 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  await eventually('it runs', () => printed.includes('entered') || child.exitCode !== null);
  assert.match(printed, /entered/);
  return { child, printed };
}

export const stateOf = (pid: number) =>
  /\) ([A-Z]) [^)]*$/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

export async function endWithChildren(child: ChildProcess): Promise<void> {
  const children = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  for (const pid of children.trim().split(' ').filter(Boolean))
    process.kill(Number(pid), 'SIGKILL');
  await end(child);
}

export const running: ChildProcess[] = [];
export const started = async (
  script = 'echo entered; exec sleep 3600',
  more: readonly string[] = [],
) => {
  const { child, printed } = await enter(script, more);
  running.push(child);
  return Object.assign(child, { printed });
};
export const assertFull = () =>
  assertRefused(
    launch(account, ['id'], options),
    /^bulkhead: Cannot start "id" as ".*": all \d+ of its entries are in use; try again later, or raise entries limit$/m,
    75,
  );
export const assertFree = () => assert.equal(launch(account, ['true'], options).status, 0);

/** Registers hooks that make the tenant, with two entries in each test, and end what a test has started. */
export function useEntries(): void {
  useTenantWithoutAccount();
  beforeEach(() => limitEntries(2));
  afterEach(async () => {
    for (const child of running.splice(0)) await end(child);
    fs.rmSync(entries, { recursive: true, force: true });
  });
}
