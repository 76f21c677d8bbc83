/** `bulkhead network test TENANT HOST:PORT`: whether a tenant may connect, and the line that decides. */
import { lookup } from 'node:dns/promises';
import type { Command } from 'commander';
import { formatAddress, parseAddress, samePrefix } from '../../../packages/base/ip-address.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { failWith, pathsFor, print, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { loadPolicyOrReport } from '../../cli/shared/session.ts';
import { table } from '../../cli/shared/terminal.ts';
import type { Paths } from '../../host/paths.ts';
import { linesOf } from '../../policy/fleet/merged.ts';
import { formatRule, type ReachElement } from '../../policy/network/reach.ts';
import { reachOriginOf } from '../../policy/network/reach-origins.ts';
import { findTenant, nameOf, type Policy, type Tenant } from '../../policy/policy.ts';
import { valueKinds } from '../../policy/value-kinds.ts';
import { decideConnect, type Decider, type Destination } from '../core/decide.ts';
import { placeOf } from '../core/decider-place.ts';
import type { NetworkRules } from '../core/rules.ts';
import { hostRules } from '../io/host-rules.ts';
import { readNetworkFacts } from '../io/programs/network-facts.ts';
import { findHere } from '../io/whose-port.ts';
import type { NetworkTestJson, TestedAddressJson } from './json.ts';
import { lineOf, ownPort, testPort } from './test-port.ts';

interface TestOptions extends PolicyOptions {
  readonly udp?: boolean;
}

async function test(
  name: string,
  to: string,
  options: TestOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const port = ownPort(to);
  const parsed =
    port === undefined
      ? valueKinds.endpoint.parse(to)
      : { ok: true as const, value: { host: '', port } };
  if (!parsed.ok) return failWith({ action, object: to, reason: formatCause(parsed.error) });
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const { policy } = loaded;
  const tenant = findTenant(policy, name);
  if (tenant === undefined)
    return failWith({
      action: 'test',
      object: name,
      reason: `it is not a tenant of ${policy.file}`,
    });
  const { host } = parsed.value;
  const addresses = port === undefined ? await addressesOf(host) : [];
  if (typeof addresses === 'string')
    return failWith({ action, object: to, reason: addresses, hint: 'write an address' });
  const about = { tenant, policy, paths, rules: hostRules(paths, policy) };
  const protocol = options.udp === true ? 'udp' : 'tcp';
  const result: NetworkTestJson = {
    tenant: nameOf(tenant),
    uid: tenant.uid,
    host,
    port: parsed.value.port,
    protocol,
    file: policy.file,
    addresses: addresses.map((address) =>
      tested({ protocol, address, port: parsed.value.port }, about),
    ),
    ...(port !== undefined && { opened: testPort(port, tenant, policy, about.rules) }),
  };
  if (options.json === true) printJson(result);
  else print(textOf(result));
  return exitCodes.done;
}

const action = 'test a connection to';

/** Returns the addresses; a text says why there are none. */
async function addressesOf(host: string): Promise<readonly Uint8Array[] | string> {
  const address = parseAddress(host);
  if (address !== undefined) return [address];
  try {
    const found = await lookup(host, { all: true });
    return found.flatMap((each) => parseAddress(each.address) ?? []);
  } catch (error) {
    return `the host has no address that is known here: ${printable(String(error))}`;
  }
}

interface Tested {
  readonly tenant: Tenant;
  readonly policy: Policy;
  readonly paths: Paths;
  /** Undefined if the policy has nothing about the network. */
  readonly rules: NetworkRules | undefined;
}

function tested(asked: Destination, { tenant, policy, paths, rules }: Tested): TestedAddressJson {
  const own = rules?.tenants.find(({ uid }) => uid === tenant.uid) ?? { uid: tenant.uid };
  const to = { ...asked, isBroadcast: isBroadcastHere(asked.address, paths) };
  const here = rules && findHere(paths, rules, to);
  const { outcome, kind, by } = decideConnect(own, to, here);
  const reach = reachOriginOf(tenant.chain)?.at;
  const place = by && reach && placeOf(by, { reach });
  const listener = policy.tenants.find(({ uid }) => uid === here?.tenant);
  return {
    address: formatAddress(to.address),
    outcome,
    ...(kind && { kind }),
    ...(by && reach && { by: deciderText(by, reach) }),
    ...(place && lineOf(linesOf(policy), place)),
    ...(listener && { listener: nameOf(listener) }),
  };
}

const isBroadcastHere = (address: Uint8Array, { proc }: Paths): boolean =>
  readNetworkFacts(proc).broadcasts.some(
    (each) => each.length === address.length && samePrefix(each, address, 8 * address.length),
  );

/** Returns the attribute, or the rule with its reason. */
function deciderText(by: Decider, reach: ReachElement): string {
  if (typeof by === 'object') {
    const rule = reach.rules[by.rule];
    if (rule === undefined) return 'a rule for a name server of this host';
    return rule.reason === undefined ? formatRule(rule) : `${formatRule(rule)} (${rule.reason})`;
  }
  switch (by) {
    case 'mail':
    case 'others':
      return `${by}="${reach[by].value}"`;
    case 'tenants':
    case 'metadata':
      return `${by}="${reach[by].value ? 'yes' : 'no'}"`;
    case 'protocol':
    case 'ports':
    case 'public':
      return by;
  }
}

const outcomes: Readonly<Record<TestedAddressJson['outcome'], string>> = {
  allowed: 'allowed',
  refused: 'refused',
  reported: 'allowed, and reported',
  relayed: 'led to the mail server of this host',
};

const nothing = 'nothing is against it';

type WrittenLine = Pick<TestedAddressJson, 'line' | 'lineFile'>;

function textOf({ addresses, opened, file }: NetworkTestJson): string {
  const where = ({ line, lineFile }: WrittenLine) =>
    line === undefined ? '' : `${lineFile ?? file}:${line}`;
  if (opened !== undefined) {
    const questions = { open: 'open it', public: 'connect to it from other hosts' };
    const rows = opened.map(({ question, outcome, by = nothing, ...rest }) => [
      questions[question],
      outcomes[outcome],
      printable(by),
      where(rest),
    ]);
    return table([['THE PORT', 'OUTCOME', 'DECIDED BY', 'LINE'], ...rows]);
  }
  const rows = addresses.map(({ address, outcome, by = nothing, listener, ...rest }) => [
    address,
    outcomes[outcome],
    printable(by),
    where(rest),
    listener === undefined ? '' : printable(listener),
  ]);
  const isHere = addresses.some(({ listener }) => listener !== undefined);
  const head = ['ADDRESS', 'OUTCOME', 'DECIDED BY', 'LINE', 'LISTENER'];
  return table([head, ...rows].map((row) => (isHere ? row : row.slice(0, 4))));
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'a tenant');
    command
      .addOption(policyOption())
      .option('--udp', 'a datagram, not a connection')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead network test alice smtp.example.org:25', 'whether she may send mail directly'],
          ['bulkhead network test alice 127.0.0.1:9001', 'whose port it is, and whether she may'],
          ['bulkhead network test alice :7001', 'whether she may open it, and who may connect'],
          ['bulkhead network test alice [2001:db8::1]:53 --udp', 'a datagram'],
        ),
      )
      .action(run(test));
  },
};
