/** Reads what others do about tenants' mail: files of panels, and the rules in the kernel as its programs print them. */
import { existsSync } from 'node:fs';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import {
  csfMailRules,
  iptablesMailRules,
  nftMailRules,
  type MailRule,
} from '../core/mail-firewall.ts';

const defaultTimeoutMs = 5_000;
const bytesMax = 16 * 2 ** 20;

interface FirewallProgram {
  readonly name: string;
  readonly args: readonly string[];
  readonly parse: (text: string) => readonly MailRule[];
}

const programs: readonly FirewallProgram[] = [
  { name: 'iptables-save', args: [], parse: iptablesMailRules },
  { name: 'ip6tables-save', args: [], parse: iptablesMailRules },
  { name: 'nft', args: ['-n', 'list', 'ruleset'], parse: nftMailRules },
];
const directories = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];

export interface FoundMailRules {
  readonly rules: readonly MailRule[];
  /** The programs that could not be asked. */
  readonly unknown: readonly string[];
}

/** `root`: the directory of the host's files, for tests. */
export async function readMailRules(
  root = '',
  timeoutMs = defaultTimeoutMs,
): Promise<FoundMailRules> {
  const found = await Promise.all(programs.map((each) => ask(each, root, timeoutMs)));
  const rules = [...settings(root), ...found.flatMap((each) => each.rules)];
  return { rules: withoutSame(rules), unknown: found.flatMap(({ unknown }) => unknown) };
}

/** Rules of iptables are nft's as well, and those for IPv6 mostly the same. */
function withoutSame(rules: readonly MailRule[]): readonly MailRule[] {
  const keyOf = ({ effect, ports }: MailRule) => `${effect} ${ports.join()}`;
  return rules.filter(
    (each, at) => rules.findIndex((other) => keyOf(other) === keyOf(each)) === at,
  );
}

function settings(root: string): readonly MailRule[] {
  const rules: MailRule[] = [];
  if (existsSync(`${root}/var/cpanel/smtpgidonlytweak`))
    rules.push({ by: "cPanel's SMTP Restrictions", effect: 'redirects', ports: [25, 465, 587] });
  const csf = readBounded(`${root}/etc/csf/csf.conf`, bytesMax);
  if (csf.ok && !existsSync(`${root}/etc/csf/csf.disable`))
    rules.push(...csfMailRules(decodeText(csf.value)));
  return rules;
}

async function ask(
  { name, args, parse }: FirewallProgram,
  root: string,
  timeoutMs: number,
): Promise<FoundMailRules> {
  const paths = directories.map((directory) => `${root}${directory}/${name}`);
  const path = paths.find((each) => existsSync(each));
  if (path === undefined) return { rules: [], unknown: [] };
  const run = await runBounded(path, args, { timeoutMs, bytesMax });
  const unknown = (reason: string) => ({ rules: [], unknown: [`${path}: ${reason}`] });
  if (!run.ok) return unknown(run.error.reason);
  const { status, stdout } = run.value;
  return status === 0
    ? { rules: parse(decodeText(stdout)), unknown: [] }
    : unknown(`status ${status}`);
}
