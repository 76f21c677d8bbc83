/**
 * `bulkhead fleet join TRUST --host NAME`: makes this host a member of a fleet. Whoever can give root this file decides
 * who signs, so its fingerprints are shown first.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { editPolicy } from '../../../apply/edit.ts';
import { policyReaderOf } from '../../../cli/capability.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../../cli/shared/output.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { fleetDirectoryOf, type Paths } from '../../../host/paths.ts';
import { setElement } from '../../../policy/elements/edit-elements.ts';
import { documentText } from '../../core/parse.ts';
import { newState } from '../../core/states.ts';
import { HostStore } from '../../io/host-store.ts';
import { momentNow } from '../../io/moment.ts';
import { readTrustFile, type GivenTrust } from '../../io/given-trust.ts';
import { describeTrust, trustJson } from './describe-trust.ts';
import type { FleetJoinJson } from './json.ts';
import { whyUnconfirmed } from './why-unconfirmed.ts';
import { jsonOption } from '../shared-options.ts';

interface JoinOptions extends PolicyOptions {
  readonly host?: string;
  readonly from?: readonly string[];
  readonly accept?: readonly string[];
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const action = 'join the fleet';

async function join(file: string, options: JoinOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const given = readTrustFile(file);
  if (!given.ok) return failWith(given.error);
  const host = options.host ?? shortHostName();
  const json = jsonOf(given.value, host, options.dryRun !== true);
  if (options.json !== true) print(describeTrust(json));
  if (options.dryRun === true) {
    if (options.json === true) printJson(json);
    return exitCodes.done;
  }
  const unconfirmed = await whyUnconfirmed(options);
  if (unconfirmed !== undefined) return failWith(unconfirmed);
  return write(given.value, json, options, { command, paths });
}

const shortHostName = () => hostname().split('.')[0]?.toLowerCase() ?? '';

/** Writes the record, and then the policy. */
async function write(
  given: GivenTrust,
  json: FleetJoinJson,
  options: JoinOptions,
  { command, paths }: { readonly command: Command; readonly paths: Paths },
): Promise<ExitCode> {
  const { fleet, host } = json;
  const stored = store(paths, given, host);
  if (!stored.ok) return failWith(stored.error);
  const isNew = stored.value === 'new';
  const attributes = {
    name: fleet,
    host,
    // A member's own words about servers, and about what it accepts, stay as root has written them.
    ...(isNew && options.from && { from: options.from.join(' ') }),
    ...(isNew && options.accept && { accept: options.accept.join(' ') }),
  };
  const edited = editPolicy(
    await policyReaderOf(command),
    options.policy,
    paths,
    (text) => setElement(text, [{ name: 'fleet' }], attributes),
    'fleet join',
  );
  if (!edited.ok) {
    for (const each of edited.error) printError(each);
    // A host that is in no fleet needs no record of one.
    if (isNew) new HostStore(fleetDirectoryOf(paths)).remove();
    return exitCodes.failed;
  }
  if (options.json === true) printJson(json);
  else
    print(
      isNew
        ? `This host is "${host}" of the fleet "${fleet}"; "bulkhead fleet accept" takes its first release`
        : `This host is "${host}" of the fleet "${fleet}" already, and keeps its trust; change "from" and "accept" in ${options.policy}`,
    );
  return exitCodes.done;
}

/** Keeps the trust. A host that is in the fleet already keeps its state and its trust, so that nothing older is taken. */
function store(
  paths: Paths,
  { trust }: GivenTrust,
  host: string,
): Result<'new' | 'known', Problem> {
  const files = new HostStore(fleetDirectoryOf(paths));
  const state = files.readState();
  // Whoever begins anew forgets which release was the newest.
  if (!state.ok) return state;
  if (state.value !== undefined) {
    const { fleet, host: name } = state.value;
    if (fleet === trust.fleet && name === host) return ok('known');
    const reason = `it is "${name}" of the fleet "${fleet}" already`;
    return failed({ action, reason, hint: 'run "bulkhead fleet leave" first' });
  }
  const made = files.create();
  if (!made.ok) return made;
  const written = files.writeTrust({ given: randomUUID(), document: documentText(trust) });
  if (!written.ok) return written;
  const kept = files.writeState(newState(trust.fleet, host, momentNow(paths)));
  return kept.ok ? ok('new') : kept;
}

const jsonOf = ({ trust }: GivenTrust, host: string, joined: boolean): FleetJoinJson => ({
  fleet: trust.fleet,
  host,
  ...trustJson(trust),
  joined,
});

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'trust.json of the fleet, which "bulkhead fleet publish" writes');
    command
      .addOption(policyOption())
      .option('--host <name>', "this host's name in the fleet; default: its host name")
      .option('--from <urls...>', 'servers from which it fetches releases')
      .option('--accept <words...>', "what the fleet's policy may say here")
      .option('--yes', 'the fingerprints have been compared')
      .option('--dry-run', 'show the fingerprints, and write nothing')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet join trust.json --host web-017 --dry-run', 'show who may sign'],
          ['bulkhead fleet join trust.json --host web-017 --yes', 'write <fleet> into the policy'],
        ),
      )
      .action(run(join));
  },
};
