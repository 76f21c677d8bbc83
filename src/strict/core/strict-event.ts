/** What the programs tell of each refusal: `struct event` of bpf/tenants.bpf.c, little-endian. */
import { cText } from '../../base/c-text.ts';
import { printable } from '../../base/printable.ts';

export interface StrictEvent {
  /** Nanoseconds since boot. */
  readonly nanoseconds: bigint;
  /** The inode of the cgroup in which the task was. */
  readonly cgroup: bigint;
  readonly pid: number;
  readonly from: number;
  readonly to: number;
  readonly tenant: number;
  readonly what: 'uid' | 'module';
  /** Only watched: it was let pass. */
  readonly passed: boolean;
  readonly command: string;
  /** Of the module that was asked for. */
  readonly module: string;
}

export const strictEventBytes = 88;

export function parseStrictEvent(bytes: Uint8Array): StrictEvent | undefined {
  if (bytes.length < strictEventBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    nanoseconds: view.getBigUint64(0, true),
    cgroup: view.getBigUint64(8, true),
    pid: view.getUint32(16, true),
    from: view.getUint32(20, true),
    to: view.getUint32(24, true),
    tenant: view.getUint32(28, true),
    what: view.getUint32(32, true) === 0 ? 'uid' : 'module',
    passed: view.getUint32(36, true) === 2,
    command: nameIn(bytes.subarray(40, 56)),
    module: nameIn(bytes.subarray(56, 88)),
  };
}

/** Names are whatever somebody chose. */
const nameIn = (bytes: Uint8Array): string => printable(cText(bytes));

/** The ways that place at the source, by the program that was refused. */
const remedies: Readonly<Record<string, string>> = {
  sshd: 'bulkhead pam enable',
  'sshd-session': 'bulkhead pam enable',
  su: 'bulkhead pam enable',
  runuser: 'bulkhead pam enable',
  cron: 'bulkhead pam enable',
  crond: 'bulkhead pam enable',
  atd: 'bulkhead pam enable',
  login: 'bulkhead pam enable',
};

/** `cron (process 12) became uid 1001 outside of its cgroup, and was refused; "bulkhead pam enable" places it`. */
export function strictEventText(event: Omit<StrictEvent, 'nanoseconds' | 'cgroup'>): string {
  const { command, pid, to, tenant, what, module, passed } = event;
  const who = `${command} (process ${pid})`;
  if (what === 'module') {
    const done = passed ? 'it would be refused' : 'was refused';
    return printable(`${who} of uid ${tenant} asked for the kernel module "${module}": ${done}`);
  }
  const remedy =
    remedies[command] ?? (command.startsWith('php-fpm') ? 'bulkhead web fpm enable' : undefined);
  const whose = to === tenant ? `uid ${to}` : `uid ${to}, a subordinate one of uid ${tenant},`;
  const how = remedy === undefined ? 'start it with "bulkhead exec"' : `"${remedy}" places it`;
  return printable(
    `${who} ${passed ? `became ${whose} outside of its cgroup` : `was not let become ${whose} outside of its cgroup`}; ${how}`,
  );
}
