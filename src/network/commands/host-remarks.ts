/** Remarks of `doctor` on what others do to the host's network, and on what does not hold exactly because of it. */
import type { Paths } from '../../host/paths.ts';
import { listSome } from '../../../packages/base/list.ts';
import { formatPorts } from '../core/reserved-ports.ts';
import { mailRemarks } from '../core/mail-firewall.ts';
import type { MailReach, PortRange } from '../core/rules.ts';
import { readMailRules } from '../io/mail-firewall.ts';
import { exclusivePrograms } from '../io/programs/exclusive-programs.ts';
import { openCgroup } from '../io/programs/root-cgroup.ts';
import { unreservedPorts } from '../io/reserved-ports.ts';

/** The needs of the policy. */
export interface NeededOfHost {
  /** Every `mail` that some tenant has. */
  readonly mail: ReadonlySet<MailReach>;
  /** The ports that are kept for tenants. */
  readonly ports: readonly PortRange[];
}

export async function hostRemarks(paths: Paths, needed: NeededOfHost): Promise<readonly string[]> {
  return [
    ...programRemarks(paths),
    ...portRemarks(paths, needed.ports),
    ...(needed.mail.size === 0 ? [] : await mailRemarksOf(needed.mail)),
  ];
}

async function mailRemarksOf(mail: ReadonlySet<MailReach>): Promise<readonly string[]> {
  const { rules, unknown } = await readMailRules();
  const unread = unknown.map((each) => `rules of the firewall are unknown: ${each}`);
  return [...mailRemarks(rules, mail), ...unread];
}

function portRemarks(paths: Paths, ranges: readonly PortRange[]): readonly string[] {
  const missing = unreservedPorts(paths, ranges);
  if (missing === undefined || missing.size === 0) return [];
  const ports = listSome(formatPorts(missing));
  return [
    `listen ports: ${ports} can be given to other programs by chance: they are not in net.ipv4.ip_local_reserved_ports`,
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
