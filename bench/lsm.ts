/**
 * What the module gate costs the loading of a module, and strict placement a change of uid. In the virtual machine,
 * since the kernel must ask BPF programs; its processor is emulated, so only the ratios mean something.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Guest } from '../src/testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import { startBpfGuest } from './bpf-guest.ts';
import { compare, type Section } from './samples.ts';

const [tenant, stranger] = [4101, 4999] as const;
const policy = (strict: string) => `<bulkhead version="1"><host driver="cgroup2"/>
<tenant uid="${tenant}"><processes limit="50"/></tenant>${strict}</bulkhead>`;

export async function benchLsm({ directory, quick }: Bench): Promise<Section> {
  const title = 'Module gate and strict placement (virtual machine, emulated processor)';
  const section = { name: 'lsm', title, beside: 'off', unit: 'µs' } as const;
  const started = await startBpfGuest(directory);
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error}`] };
  await using guest = started.value;
  for (const name of ['load-module', 'change-uid']) {
    const source = new URL(`${name}.c`, import.meta.url).pathname;
    execFileSync('gcc', ['-O2', '-static', '-o', join(directory, name), source]);
    await guest.copyIn(join(directory, name), `/usr/local/bin/${name}`);
  }
  const rounds = quick ? 5 : 40;
  const load = () => samples(guest, `load-module "$(modinfo -n dummy)" ${rounds}`);
  const change = (uid: number) =>
    samples(
      guest,
      `sh -c 'echo 0 > /sys/fs/cgroup/bulkhead-tenants.service/u${tenant}/cgroup.procs; exec change-uid ${uid} ${rounds}'`,
    );
  await apply(guest, '');
  const [loadOff, tenantOff, strangerOff] = [
    await load(),
    await change(tenant),
    await change(stranger),
  ];
  await apply(guest, '<placement strict="yes"/>');
  const [tenantOn, strangerOn] = [await change(tenant), await change(stranger)];
  await guest.succeed('/opt/bulkhead/bulkhead modules gate on');
  const rows = [
    compare('load and remove a module', await load(), loadOff),
    compare('become a tenant, and root again', tenantOn, tenantOff),
    compare('become another uid, and root again', strangerOn, strangerOff),
  ];
  return { ...section, rows, notes: [] };
}

async function apply(guest: Guest, strict: string): Promise<void> {
  await guest.succeed(
    'mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml && cd /opt/bulkhead && ./bulkhead apply --quiet && ./bulkhead placement restore',
    { input: policy(strict) },
  );
}

const samples = async (guest: Guest, command: string): Promise<readonly number[]> =>
  (await guest.succeed(command)).trim().split('\n').map(Number);
