/** `bulkhead fleet sign`: the next release, or one more signature on it. */
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { count } from '../../../packages/base/list.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../cli/shared/output.ts';
import { namespaces, type TrustDocument } from '../core/documents.ts';
import type { Release } from '../core/fleet-files.ts';
import {
  fleetFiles,
  readRelease,
  readTrust,
  writeRelease,
} from '../io/directory/fleet-directory.ts';
import { findSigner, signText } from '../io/directory/sign.ts';
import { nextRelease, type NextRelease } from '../io/release/next-release.ts';
import { hostDocuments } from '../io/release/whole-release.ts';
import { signersOf } from '../io/verify/verify-trust.ts';
import { keyOption, type SigningOptions, withFleetOptions } from './shared-options.ts';
import { hostsOfFleet } from './hosts-of-fleet.ts';
import type { FleetSignJson } from './json.ts';
import { parsePeriod } from './trust/change-options.ts';

interface SignOptions extends SigningOptions {
  readonly large?: boolean;
  readonly again?: boolean;
  readonly expires: number;
}

function sign(options: SignOptions, command: Command): ExitCode {
  const { directory } = options;
  const trust = readTrust(directory);
  if (!trust.ok) return failWith(trust.error);
  const last = readRelease(directory);
  if (!last.ok) return failWith(last.error);
  const fleet = hostsOfFleet(directory, command);
  if (fleet === undefined) return exitCodes.failed;
  const next = nextRelease(fleet, { trust: trust.value, last: last.value }, options, Date.now());
  if (!next.ok) return failWith({ action: 'sign the fleet', object: directory, ...next.error });
  const signed = next.value.isComplete
    ? ok(next.value.release)
    : signAndWrite(next.value.release, trust.value.trust, options);
  if (!signed.ok) return failWith(signed.error);
  const { head, dropped } = next.value;
  if (dropped.length > 0)
    printError(
      `generation ${head.generation} was another policy when ${dropped.join(', ')} signed it; they must sign it again`,
    );
  const shown = jsonOf({ ...next.value, release: signed.value }, trust.value.trust);
  if (options.json === true) printJson(shown);
  else print(textOf(shown, directory));
  return exitCodes.done;
}

function signAndWrite(
  release: Release,
  { people }: TrustDocument,
  { key, directory }: SignOptions,
): Result<Release, Problem> {
  const signer = findSigner(people, key);
  if (!signer.ok) return signer;
  const { document, signatures } = release.head;
  const made = signText(signer.value, document, namespaces.release);
  if (!made.ok) return made;
  const signed = { ...release, head: { document, signatures: [...signatures, made.value] } };
  const written = writeRelease(directory, signed);
  return written.ok ? ok(signed) : written;
}

function jsonOf(
  { release, head, changed, isComplete }: NextRelease,
  trust: TrustDocument,
): FleetSignJson {
  const { people } = signersOf(release.head, trust, namespaces.release);
  const waves = hostDocuments(release).map(({ wave }) => wave);
  return {
    fleet: head.fleet,
    generation: head.generation,
    hosts: head.hosts,
    changed: changed ?? null,
    waves: new Set(waves).size,
    large: head.large,
    expires: head.expires,
    signed: people.map(({ name }) => name),
    missing: Math.max(0, trust.threshold - people.length),
    isNew: !isComplete,
  };
}

function textOf(
  { generation, hosts, changed, waves, large, expires, signed, missing, isNew }: FleetSignJson,
  directory: string,
): string {
  const until = `hosts accept it until ${expires.slice(0, 10)}`;
  if (!isNew)
    return `Nothing has changed since generation ${generation}, which is signed; ${until}. "--again" signs a new one.`;
  const changes = changed === null ? '' : `, ${changed} of them with another policy than before`;
  const agreed = large ? '; a large change is agreed to' : '';
  return [
    `generation ${generation}: ${count(hosts, 'host')}${changes}; ${count(waves, 'wave')}${agreed}; ${until}`,
    `signed by ${signed.join(', ')}; ${
      missing === 0
        ? 'that is enough: "bulkhead fleet publish"'
        : `${count(missing, 'more person', 'more people')} must sign, each with "bulkhead fleet sign" in a copy of ${join(directory, fleetFiles.release)}`
    }`,
  ].join('\n');
}

const quarter = 90 * 86_400_000;

export const command: CommandModule = {
  define(command, run) {
    withFleetOptions(command)
      .addOption(keyOption())
      .addOption(
        new Option('--expires <duration>', 'how long hosts accept the release')
          .default(quarter, '90 days')
          .argParser(parsePeriod),
      )
      .option('--large', 'agree to a large change, which hosts otherwise refuse')
      .option('--again', 'make a new release although nothing has changed, which expires later')
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet sign', 'in the directory with fleet.xml'],
          ['bulkhead fleet sign --key ~/.ssh/id_ed25519_sk', 'with a key in hardware'],
          ['bulkhead fleet sign --large', 'half of the tenants leave, and that is wanted'],
        ),
      )
      .action(run(sign));
  },
};
