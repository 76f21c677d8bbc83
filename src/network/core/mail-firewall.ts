/**
 * Rules of others for tenants' connections to mail servers: of iptables and nft, and by settings of panels.
 *
 *     -A OUTPUT -p tcp -m multiport --dports 25,465,587 -m owner --uid-owner 0 -j ACCEPT
 *     -A OUTPUT -p tcp -m tcp --dport 25 -j REDIRECT --to-ports 25                             iptables-save(8)
 *     meta skuid != 0 tcp dport { 25, 465, 587 } reject                                        nft(8)
 *
 * The texts are what programs print of rules that anybody may have written: each line is judged by itself.
 */
import { printable } from '../../../packages/base/printable.ts';
import type { MailReach } from './rules.ts';

export interface MailRule {
  /** The owner of the rule, for people. */
  readonly by: string;
  readonly effect: 'redirects' | 'refuses';
  /** The ports among 25, 465 and 587. */
  readonly ports: readonly number[];
}

const mailPorts = [25, 465, 587];
const linesMax = 1_000_000;
const shownMax = 160;
/** Packets of this host's programs pass none of these. */
const otherHooks = new Set(['PREROUTING', 'INPUT', 'FORWARD']);

export function iptablesMailRules(text: string): readonly MailRule[] {
  return text.split('\n', linesMax).flatMap((line): MailRule[] => {
    const [, chain = '', rest = ''] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (chain === '' || otherHooks.has(chain)) return [];
    const target = / -j (\S+)/.exec(` ${rest}`)?.[1] ?? '';
    const effect = effectOf(target);
    const ports = portsIn(/--dports? (\S+)/.exec(rest)?.[1]?.split(',') ?? [], ':');
    return effect === undefined || ports.length === 0
      ? []
      : [{ by: `iptables (${shown(line)})`, effect, ports }];
  });
}

export function nftMailRules(text: string): readonly MailRule[] {
  let isOurs = true;
  return text.split('\n', linesMax).flatMap((whole): MailRule[] => {
    const line = whole.replaceAll(/"[^"]*"/g, '""');
    if (/^\s*chain /.test(line)) isOurs = true;
    const hook = /\bhook (\w+)/.exec(line)?.[1];
    if (hook !== undefined) isOurs = hook === 'output' || hook === 'postrouting';
    if (!isOurs) return [];
    const [, set, single] = /\btcp dport (?:\{([^}]{0,4096})\}|([\d-]+))/.exec(line) ?? [];
    const ports = portsIn((set ?? single ?? '').split(','), '-');
    const effect = effectOf(/\b(redirect|dnat|reject|drop)\b/.exec(line)?.[1] ?? '');
    return effect === undefined || ports.length === 0
      ? []
      : [{ by: `nft (${shown(line)})`, effect, ports }];
  });
}

const shown = (line: string) => printable(line.trim().slice(0, shownMax));

function effectOf(target: string): MailRule['effect'] | undefined {
  const name = target.toUpperCase();
  if (name === 'REDIRECT' || name === 'DNAT') return 'redirects';
  return name === 'REJECT' || name === 'DROP' ? 'refuses' : undefined;
}

function portsIn(parts: readonly string[], dash: string): readonly number[] {
  return mailPorts.filter((port) =>
    parts.some((part) => {
      const [first, last = first] = part.trim().split(dash).map(Number);
      return first !== undefined && last !== undefined && first <= port && port <= last;
    }),
  );
}

/** The settings of CSF: `SMTP_BLOCK = "1"`. A firewall that is switched off sets no rules. */
export function csfMailRules(conf: string): readonly MailRule[] {
  const value = (name: string) =>
    new RegExp(`^\\s*${name}\\s*=\\s*"([^"\\n]{0,1000})"`, 'm').exec(conf)?.[1] ?? '';
  const ports = portsIn(value('SMTP_PORTS').split(','), ':');
  const rules: MailRule[] = [];
  if (isOn(value('SMTP_BLOCK'))) rules.push({ by: 'SMTP_BLOCK of CSF', effect: 'refuses', ports });
  if (isOn(value('SMTP_REDIRECT')))
    rules.push({ by: 'SMTP_REDIRECT of CSF', effect: 'redirects', ports });
  return rules.filter((each) => each.ports.length > 0);
}

const isOn = (value: string) => /^[1-9]/.test(value);

/** Returns what of it contradicts the policy; `reaches`: every `mail` that some tenant has. */
export function mailRemarks(
  rules: readonly MailRule[],
  reaches: ReadonlySet<MailReach>,
): readonly string[] {
  return [
    ...new Set(
      rules.flatMap(({ by, effect, ports }) => {
        const at = ports.join(', ');
        if (effect === 'redirects' && ports.includes(25) && refuses(reaches))
          return `reach mail: ${by} redirects port 25, but tenants are refused before that; write mail="relay", or switch it off`;
        if (effect === 'redirects' || !isOpen(ports, reaches)) return [];
        return `reach mail: ${by} refuses ports that the policy leaves open (${at}); switch it off, or write mail="local"`;
      }),
    ),
  ];
}

const refuses = (reaches: ReadonlySet<MailReach>) =>
  reaches.has('submission') || reaches.has('local');

const isOpen = (ports: readonly number[], reaches: ReadonlySet<MailReach>) =>
  reaches.has('anywhere') || (reaches.has('submission') && ports.some((port) => port !== 25));
