/** Remarks of `doctor` on what others do to the host's network, where it contradicts the policy. */
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../../host/paths.ts';
import { listensOnLoopback } from '../core/listening.ts';
import { mailRemarks } from '../core/mail-firewall.ts';
import type { MailReach } from '../core/rules.ts';
import { readMailRules } from '../io/mail-firewall.ts';
import { exclusivePrograms } from '../io/programs/exclusive-programs.ts';
import { openCgroup } from '../io/programs/root-cgroup.ts';

/** `mail`: every `mail` that some tenant has. */
export async function hostRemarks(
  paths: Paths,
  mail: ReadonlySet<MailReach>,
): Promise<readonly string[]> {
  return [
    ...programRemarks(paths),
    ...(mail.has('relay') ? relayRemarks(paths) : []),
    ...(mail.size === 0 ? [] : await mailRemarksOf(mail)),
  ];
}

async function mailRemarksOf(mail: ReadonlySet<MailReach>): Promise<readonly string[]> {
  const { rules, unknown } = await readMailRules();
  const unread = unknown.map((each) => `rules of the firewall are unknown: ${each}`);
  return [...mailRemarks(rules, mail), ...unread];
}

/** Returns no remark if the table cannot be read. */
function relayRemarks({ proc }: Paths): readonly string[] {
  const tables = [readText(`${proc}/net/tcp`), readText(`${proc}/net/tcp6`)];
  if (tables[0] === undefined || tables.some((each) => listensOnLoopback(each ?? '', 25)))
    return [];
  return [
    'reach mail: no mail server listens at 127.0.0.1:25, so mail="relay" refuses all connections to port 25; start one, or write mail="submission"',
  ];
}

function programRemarks(paths: Paths): readonly string[] {
  const opened = openCgroup(paths);
  if (!opened.ok) return [];
  using cgroup = opened.value;
  return exclusivePrograms(cgroup.fd).map(
    ({ type, id }) =>
      `network: program ${id} (${type}) is attached to the root cgroup and admits no other; find it by: bpftool prog show id ${id}`,
  );
}
