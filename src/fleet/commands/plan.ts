/** `bulkhead fleet plan`: what the next release changes, compared with the last one that was signed. */
import type { Command } from 'commander';
import { count, listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { failed } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import { describeChange } from '../../policy/changes/describe.ts';
import { FleetChanges, type FleetValueChange } from '../../policy/fleet/plan/plan-fleet.ts';
import { parsePolicy } from '../../policy/parse.ts';
import type { HostDocument, ReleaseHead } from '../core/documents.ts';
import type { Release } from '../core/fleet-files.ts';
import { parseHost } from '../core/parse.ts';
import { readRelease, readTrust } from '../io/directory/fleet-directory.ts';
import { lastSigned } from '../io/release/next-release.ts';
import { unpackPolicy } from '../io/release/packed.ts';
import { type DirectoryOptions, withFleetOptions } from './shared-options.ts';
import type { FleetPlanJson } from './json.ts';
import { fleetOrReport, type ReadFleet } from './read-fleet.ts';

function plan(options: DirectoryOptions, command: Command): ExitCode {
  const read = fleetOrReport(options.directory, command);
  if (read === undefined) return exitCodes.failed;
  const release = readRelease(options.directory);
  if (!release.ok) return failWith(release.error);
  const head = release.value && signedHead(options.directory, release.value);
  if (head?.ok === false) return failWith(head.error);
  const planned = planFrom(read, release.value, head?.value);
  if (!planned.ok) return failWith(planned.error);
  if (options.json === true) printJson(planned.value);
  else print(textOf(planned.value));
  return exitCodes.done;
}

const action = 'plan the next release';

/** Anybody may have changed the file: what is compared with it would then hide a change. */
function signedHead(object: string, release: Release): Result<ReleaseHead, Problem> {
  const trust = readTrust(object);
  if (!trust.ok) return trust;
  const head = lastSigned(release, trust.value);
  return head.ok ? head : failed({ action, object, ...head.error });
}

function planFrom(
  read: ReadFleet,
  release: Release | undefined,
  head: ReleaseHead | undefined,
): Result<FleetPlanJson, Problem> {
  const before = new Map<string, HostDocument>();
  for (const text of release?.hosts ?? []) {
    const host = parseHost(text);
    if (!host.ok) return failed({ action, ...host.error });
    before.set(host.value.host, host.value);
  }
  const names = new Set(read.fleet.hosts.map(({ name }) => name));
  const compared = compareHosts(read, release, before);
  if (!compared.ok) return compared;
  return ok({
    fleet: read.fleet.name,
    generation: (head?.generation ?? 0) + 1,
    hosts: names.size,
    ...compared.value,
    new: [...names].filter((each) => !before.has(each)),
    leaving: [...before.keys()].filter((each) => !names.has(each)),
  });
}

type Compared = Pick<FleetPlanJson, 'changing' | 'same' | 'changes' | 'large'>;

/** Compares the policies of hosts, each pair of a former and a new one once. */
function compareHosts(
  { fleet, renderer, words }: ReadFleet,
  release: Release | undefined,
  before: ReadonlyMap<string, HostDocument>,
): Result<Compared, Problem> {
  const changes = new FleetChanges();
  const changing: string[] = [];
  for (const group of renderer.groups()) {
    const former = Map.groupBy(
      group.filter((each) => before.has(each)),
      (each) => before.get(each)?.policy.sha256 ?? '',
    );
    for (const hosts of former.values()) {
      const [host = ''] = hosts;
      const old = oldPolicy(release, before.get(host));
      if (!old.ok) return old;
      if (old.value === renderer.textOf(host)) continue;
      const now = renderer.parsed(host, words);
      const was = parsePolicy('the last release', old.value, words);
      const isRead =
        now?.document && was.document && !now.diagnostics.failed && !was.diagnostics.failed;
      if (isRead !== true || now?.document === undefined || was.document === undefined)
        return failed({
          action,
          reason: `the policy of ${host} has mistakes`,
          hint: '"bulkhead fleet check" lists them',
        });
      changes.add(hosts, was.document, now.document);
      changing.push(...hosts);
    }
  }
  const order = new Map(fleet.hosts.map(({ name }, index) => [name, index]));
  return ok({
    changing: changing.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)),
    same: [...before.keys()].filter((each) => order.has(each)).length - changing.length,
    changes: changes.values,
    large: changes.large,
  });
}

function oldPolicy(
  release: Release | undefined,
  host: HostDocument | undefined,
): Result<string, Problem> {
  const packed = host && release?.policies[host.policy.sha256];
  const text = host && packed !== undefined ? unpackPolicy(packed, host.policy) : undefined;
  return text === undefined
    ? failed({
        action,
        reason: `release.json does not have the policy of ${host?.host ?? 'a host'} as it was signed`,
        hint: 'take the file from where it was signed',
      })
    : ok(text);
}

const linesMax = 40;

function textOf({
  generation,
  hosts,
  changing,
  same,
  changes,
  large,
  ...more
}: FleetPlanJson): string {
  const { new: added, leaving } = more;
  const lines = [
    `generation ${generation}: ${changing.length} of ${count(hosts, 'host')} change; ${same} ${same === 1 ? 'has' : 'have'} the same policy`,
    ...(added.length > 0
      ? [`  ${count(added.length, 'host is', 'hosts are')} new: ${listSome(added)}`]
      : []),
    ...(leaving.length > 0
      ? [`  ${count(leaving.length, 'host leaves', 'hosts leave')}: ${listSome(leaving)}`]
      : []),
    ...changes.slice(0, linesMax).map(changeText),
    ...(changes.length > linesMax ? [`  … and ${changes.length - linesMax} more`] : []),
    ...large
      .slice(0, linesMax)
      .map(
        ({ host, reasons }) =>
          `  ${host}: ${reasons.join('; ')}; the host refuses that, unless it is signed with --large`,
      ),
    ...(large.length > linesMax ? [`  … and ${large.length - linesMax} more hosts`] : []),
  ];
  return lines.join('\n');
}

function changeText(change: FleetValueChange): string {
  const { hosts, tenants } = change;
  const reached = tenants === 0 ? '' : `; ${count(tenants, 'tenant')} that fleet.xml names`;
  return `  ${printable(describeChange(change))}  (${count(hosts, 'host')}${reached})`;
}

export const command: CommandModule = {
  define(command, run) {
    withFleetOptions(command)
      .addHelpText('after', examples(['bulkhead fleet plan', 'before "bulkhead fleet sign"']))
      .action(run(plan));
  },
};
