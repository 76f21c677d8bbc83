/** The text of a first policy, from facts of the host. Its limits are suggestions, marked as such. */
import { userPattern } from '../../../policy/value-kinds.ts';
import type { Account } from '../../../policy/policy.ts';
import { shortBytes } from '../../../../packages/base/bytes.ts';
import { count } from '../../../../packages/base/list.ts';
import { formatQuantity, type Bytes } from '../../../../packages/base/quantity.ts';

interface Machine {
  readonly accounts: readonly Account[];
  readonly uidMin: number;
  readonly uidMax: number;
  /** Users who may become root. */
  readonly administrators: readonly string[];
  readonly cores: number;
  readonly memoryBytes: number;
}

const namedMax = 20;
const lineLength = 90;

export function firstPolicy(machine: Machine): string {
  const { cores, memoryBytes, uidMin, uidMax } = machine;
  const inRange = machine.accounts.filter(({ uid }) => uid >= uidMin && uid <= uidMax);
  const except = machine.administrators.filter((name) => inRange.some(({ user }) => user === name));
  const tenants = inRange.map(({ user }) => user).filter((user) => !except.includes(user));
  const someone = tenants.find((user) => !user.includes('--')) ?? 'alice';
  return `<?xml version="1.0" encoding="UTF-8"?>
<!--
  The tenants of this host, and what each of them may use.

  Written by "bulkhead init" for a host with ${count(cores, 'core')} and ${shortBytes(memoryBytes)} of memory. The limits are suggestions;
  change them as you like. "bulkhead check" checks the file, "bulkhead plan" shows what it would
  change, and "bulkhead apply" applies it. "bulkhead explain NAME" shows the limits of a tenant, and
  which line sets each of them.
-->
<bulkhead version="1">

  <!--
    Every account in this range of uids (from /etc/login.defs) is a tenant, future ones included.
${indent([
  ...named('On this host now', tenants),
  ...(except.length > 0 ? named('Excluded, since they may become root', except) : []),
])}
  -->
  <tenants uids="${uidMin}-${uidMax}"${except.length > 0 ? ` except="${except.join(' ')}"` : ''}/>

  <!-- The limits of every tenant without more specific ones. -->
  <defaults>
    <cpu limit="${cpuLimit(cores)}"/>             <!-- 100% is one core; this host has ${cores * 100}% -->
    <memory limit="${memoryLimit(memoryBytes)}"/>
    <io read="20MiB/s" write="20MiB/s" reads="1000/s" writes="1000/s"/>
    <processes limit="100"/>        <!-- threads count too -->
  </defaults>

  <!--
    What else a policy may contain. "bulkhead package set", "bulkhead set" and "bulkhead reseller set"
    write such lines.

    A package is a named set of limits; what it does not set comes from the defaults:

      <package name="business">
        <cpu limit="${packageCpu(cores)}"/>
        <memory limit="${packageMemory(memoryBytes)}"/>
        <disk space="50GiB" files="500000"/>
      </package>

    A tenant with limits of its own:

      <tenant user="${someone}" package="business">
        <cpu limit="50%"/>
      </tenant>

    A reseller limits the sum of its tenants:

      <reseller user="acme" package="business">
        <cpu limit="${packageCpu(cores)}"/>
        <tenant user="bob"/>
      </reseller>
  -->
</bulkhead>
`;
}

/** Returns one core, but never the whole machine: an administrator must still be able to log in. */
const cpuLimit = (cores: number) => (cores === 1 ? '50%' : '100%');
const packageCpu = (cores: number) => (cores === 1 ? '80%' : `${Math.max(150, cores * 25)}%`);

const memoryLimit = (bytes: number) => powerOfTwo(bytes / 8, 2 ** 26, 2 ** 30);
const packageMemory = (bytes: number) => powerOfTwo(bytes / 4, 2 ** 27, 2 ** 32);

/** Returns the largest power of two up to `bytes`, within bounds. */
function powerOfTwo(bytes: number, min: number, max: number): string {
  const power = 2 ** Math.floor(Math.log2(bytes));
  return formatQuantity('bytes', Math.min(max, Math.max(min, power)) as Bytes);
}

/** Wraps names into short lines; two hyphens would end the comment. */
function named(label: string, names: readonly string[]): readonly string[] {
  const shown = names.filter((name) => userPattern.test(name)).slice(0, namedMax);
  const more = names.length - shown.length;
  const all = [...shown, ...(more > 0 ? [`and ${more} more`] : [])];
  if (all.length === 0) return [`${label}: none.`];
  const lines = [`${label}:`];
  for (const [index, name] of all.entries()) {
    const word = `${name.replaceAll('--', '- -')}${index === all.length - 1 ? '.' : ','}`;
    const last = lines.at(-1) ?? '';
    if (last.length + word.length < lineLength) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}

const indent = (lines: readonly string[]) => lines.map((line) => `    ${line}`).join('\n');
