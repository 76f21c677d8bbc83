/**
 * The time that the module gate adds to loading a module, and strict placement to a change of uid.
 * It runs in the virtual machine, since the kernel must run BPF programs; its processor is
 * emulated, so only the ratios mean something.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import { startBpfGuest } from './bpf-guest.ts';
import { compare, type Section } from './samples.ts';

const [tenant, stranger] = [4101, 4999] as const;
const policy = (strict: string) => `<bulkhead version="1"><host driver="cgroup2"/>
<tenant uid="${tenant}"><processes limit="50"/></tenant>${strict}</bulkhead>`;

export async function benchLsm({ directory, quick, signal }: Bench): Promise<Section> {
  const title = 'Module gate and strict placement (virtual machine, emulated processor)';
  const section = { name: 'lsm', title, beside: 'off', unit: 'µs' } as const;
  const started = await startBpfGuest(directory);
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  for (const name of ['load-module', 'change-uid']) {
    const source = new URL(`${name}.c`, import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-o', join(directory, name), source]);
    await guest.copyIn(join(directory, name), `/usr/local/bin/${name}`);
  }
  const what = {
    'load and remove a module': 'load-module "$(modinfo -n dummy)"',
    'become a tenant, and root again': changeTo(tenant),
    'become another uid, and root again': changeTo(stranger),
  };
  const measured = Object.keys(what).map((label): Measured => ({ label, off: [], on: [] }));
  for (let turn = 0; turn < (quick ? 1 : 4); turn++) {
    signal.throwIfAborted();
    for (const state of ['off', 'on'] as const) {
      await switchAll(guest, state);
      for (const [index, command] of Object.values(what).entries())
        measured[index]?.[state].push(...(await samples(guest, `${command} 10`)));
    }
  }
  return {
    ...section,
    rows: measured.map(({ label, on, off }) => compare(label, on, off)),
    notes: [],
  };
}

interface Measured {
  readonly label: string;
  readonly off: number[];
  readonly on: number[];
}

const changeTo = (uid: number) =>
  `exec sh -c 'echo 0 > /sys/fs/cgroup/bulkhead-tenants.service/u${tenant}/cgroup.procs; exec change-uid ${uid} "$1"' sh`;

async function switchAll(guest: Guest, to: 'on' | 'off'): Promise<void> {
  if (to === 'off') await guest.succeed('/opt/bulkhead/bulkhead modules gate disable');
  await apply(guest, to === 'on' ? '<placement strict="yes"/>' : '');
  if (to === 'on') await guest.succeed('/opt/bulkhead/bulkhead modules gate enable');
}

async function apply(guest: Guest, strict: string): Promise<void> {
  await guest.succeed(
    'mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml && cd /opt/bulkhead && ./bulkhead apply --quiet && ./bulkhead placement sync',
    { input: policy(strict) },
  );
}

const samples = async (guest: Guest, command: string): Promise<readonly number[]> =>
  (await guest.succeed(command)).trim().split('\n').map(Number);
