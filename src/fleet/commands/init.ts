/** `bulkhead fleet init [DIRECTORY]`: the directory of a new fleet. */
import { existsSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { JsonOption } from '../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import type { NamedKey, TrustDocument } from '../core/documents.ts';
import { namePattern, personPattern } from '../core/fields.ts';
import { documentText, parseTrust } from '../core/parse.ts';
import { fleetFiles, makeDirectory, writeTrust } from '../io/directory/fleet-directory.ts';
import { keyText, ownKeys, readPublicKey, type PublicKey } from '../io/directory/public-keys.ts';
import type { FleetInitJson } from './json.ts';
import { trustExpiresOption } from './trust/change-options.ts';
import { jsonOption } from './shared-options.ts';

interface InitOptions extends JsonOption {
  readonly name?: string;
  readonly person: readonly string[];
  readonly expires: number;
}

function init(directory: string, options: InitOptions): ExitCode {
  const made = makeFleet(directory, options);
  if (!made.ok) return failWith(made.error);
  const { people, fleet, expires } = made.value;
  const shown: FleetInitJson = { fleet, directory, people, expires };
  if (options.json === true) printJson(shown);
  else print(textOf(shown));
  return exitCodes.done;
}

const textOf = ({ fleet, directory, people }: FleetInitJson) =>
  [
    `The fleet ${fleet} is in ${directory}. These people may sign:`,
    ...people.map(({ name, key }) => `  ${name}  ${key}`),
    '',
    `Next: edit ${join(directory, fleetFiles.policy)}, then run there`,
    '  bulkhead fleet sign',
    '  bulkhead fleet publish out',
  ].join('\n');

function makeFleet(directory: string, options: InitOptions): Result<TrustDocument, Problem> {
  const action = 'begin a fleet in';
  const { name: fleet = 'example' } = options;
  if (!namePattern.test(fleet))
    return failed({
      action: 'name a fleet',
      object: fleet,
      reason: 'a name has up to 63 lower case letters, digits and "-"',
    });
  const there = Object.values(fleetFiles).find((file) => existsSync(join(directory, file)));
  if (there !== undefined)
    return failed({ action, object: directory, reason: `it already has a ${there}` });
  const people = peopleOf(options.person);
  if (!people.ok) return people;
  const trust = parseTrust(
    documentText({
      format: 1,
      fleet,
      version: 1,
      threshold: 1,
      people: people.value,
      controllers: [],
      expires: new Date(Date.now() + options.expires).toISOString(),
    }),
  );
  if (!trust.ok) return failed({ action, object: directory, ...trust.error });
  const made = makeDirectory(directory);
  if (!made.ok) return made;
  const chain = [{ document: documentText(trust.value), signatures: [] }];
  const policy = replaceFile(join(directory, fleetFiles.policy), exampleOf(fleet));
  // Last: with it, the directory is a fleet.
  const written = policy.ok ? writeTrust(directory, chain) : policy;
  return written.ok ? trust : written;
}

/** Returns the people who were named as NAME=FILE; without any, whoever runs this. */
function peopleOf(named: readonly string[]): Result<readonly NamedKey[], Problem> {
  if (named.length === 0) return ownPerson();
  const people: NamedKey[] = [];
  for (const each of named) {
    const [name, file] = splitOnce(each);
    if (file === undefined || !personPattern.test(name))
      return failed({
        action: 'use the person',
        object: each,
        reason: 'that is not a name and the file of a key',
        hint: 'write for example "alice@example.org=alice.pub"',
      });
    const key = readPublicKey(file);
    if (!key.ok) return key;
    people.push({ name, key: keyText(key.value) });
  }
  return ok(people);
}

function splitOnce(text: string): readonly [string, string?] {
  const at = text.indexOf('=');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function ownPerson(): Result<readonly NamedKey[], Problem> {
  const [key] = ownKeys();
  if (key !== undefined) return ok([{ name: nameOf(key), key: keyText(key) }]);
  return failed({
    action: 'begin a fleet',
    reason: 'you have no SSH key (ssh-agent, ~/.ssh)',
    hint: 'make one with "ssh-keygen -t ed25519", or name people with --person NAME=FILE',
  });
}

/** Returns the comment of the key if that can be a name, as it usually can. */
const nameOf = ({ comment }: PublicKey): string =>
  personPattern.test(comment) ? comment : `${userInfo().username}@${hostname()}`;

const exampleOf = (fleet: string) => `<?xml version="1.0" encoding="UTF-8"?>
<bulkhead version="1">
  <hosts fleet="${fleet}" local="tenants">
    <group name="shared" hosts="web-001..web-003"/>
    <group name="canary" hosts="web-001"/>
    <!-- The canary first, then a tenth, then all. Nothing goes on while tenants suffer. -->
    <waves watch="30min" failed="2%" silent="10%">
      <wave group="canary"/> <wave hosts="10%"/> <wave hosts="100%"/>
    </waves>
  </hosts>

  <!-- For all hosts, as in the policy of one host. -->
  <defaults>
    <cpu limit="100%"/>
    <memory limit="1GiB"/>
  </defaults>
  <package name="business"><cpu limit="200%"/></package>

  <!-- For some hosts; later ones win. -->
  <on host="web-003">
    <package name="business"><cpu limit="150%"/></package>
  </on>
</bulkhead>
`;

const collect = (value: string, before: readonly string[]) => [...before, value];

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the directory to make').default('.');
    command
      .option('--name <name>', 'the name of the fleet; "example" without it')
      .option<readonly string[]>(
        '--person <name=file>',
        'a person who may sign, and an SSH public key; once for each; without it, you',
        collect,
        [],
      )
      .addOption(trustExpiresOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet init ~/fleet --name example', 'you sign, with your first SSH key'],
          ['bulkhead fleet init --person alice@example.org=alice.pub', 'alice signs'],
        ),
      )
      .action(run(init));
  },
};
