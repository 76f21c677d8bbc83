/**
 * Policy text → PolicyDocument on a host. Below the policy of a host in a fleet lies the policy of the fleet's release in
 * force; what comes out is an ordinary document, whose places name the file that has each value.
 */
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { fleetPolicyFile, readFleetPolicy } from '../host/fleet/fleet-policy.ts';
import type { Paths } from '../host/paths.ts';
import type { Diagnostics } from '../policy/diagnostic.ts';
import type { PolicyDocument } from '../policy/document.ts';
import { refusedByAccept, type RefusedByAccept } from '../policy/fleet/accept.ts';
import type { FleetElement } from '../policy/fleet/fleet-settings.ts';
import type { LocalWord } from '../policy/fleet/fleet-words.ts';
import { layerDocuments } from '../policy/fleet/layers.ts';
import { needsRights } from '../policy/fleet/needs-rights.ts';
import { parsePolicy, type ParsedPolicy } from '../policy/parse.ts';
import type { AlertWords } from '../policy/settings.ts';

export interface OnHost {
  readonly paths: Paths;
  /** The subjects of alerts that are not limits. */
  readonly words: AlertWords;
  /** The policy of another release than the one in force. */
  readonly release: string | undefined;
}

export function parseOnHost(file: string, text: string, onHost: OnHost): ParsedPolicy {
  const { paths, words } = onHost;
  const own = parsePolicy(file, text, words);
  const { document, diagnostics } = own;
  const fleet = document?.fleet;
  if (document === undefined || fleet?.settings.host === undefined || diagnostics.failed)
    return own;
  const read = onHost.release === undefined ? readFleetPolicy(paths) : ok(onHost.release);
  if (!read.ok && isHidden(read.error)) {
    diagnostics.warn(fleet, "Only root can read the fleet's policy: this is without it");
    return own;
  }
  if (!read.ok) diagnostics.error(fleet, formatProblem(read.error));
  if (!read.ok) return { ...own, isPartial: true };
  if (read.value === undefined) return own;
  const release = acceptedRelease(read.value, document, onHost, diagnostics);
  if (release !== undefined) refuseOtherFleet(fleet, release, diagnostics);
  if (release === undefined || diagnostics.failed) return { ...own, isPartial: true };
  refuseNotLocal(document, fleet, release, diagnostics);
  return diagnostics.failed ? { ...own, isPartial: true } : merged(document, release, fleet, words);
}

const isHidden = ({ errno }: Problem) => errno === 'EACCES' && process.geteuid?.() !== 0;

function merged(
  own: PolicyDocument,
  release: PolicyDocument,
  fleet: FleetElement,
  words: AlertWords,
): ParsedPolicy {
  const { text, sources } = layerDocuments([release, own]);
  const { document, diagnostics } = parsePolicy(own.file, text, words, sources);
  if (document === undefined) return { document, diagnostics };
  const layered = { ...document, merged: { ownText: own.text, sources } };
  // The merged text has no host, so that what is kept of it is not merged again.
  return {
    document: { ...layered, fleet: { ...fleet, ...document.fleet, settings: fleet.settings } },
    diagnostics,
  };
}

const refusalsMax = 20;

/** Parses the policy of the release; undefined, and reported, if it has errors or says what the host does not accept. */
function acceptedRelease(
  text: string,
  own: PolicyDocument,
  onHost: OnHost,
  diagnostics: Diagnostics,
): PolicyDocument | undefined {
  const { paths, words } = onHost;
  const { fleet } = own;
  if (fleet === undefined) return undefined;
  const file = fleetPolicyFile(paths);
  const parsed = parsePolicy(file, text, words);
  diagnostics.list.push(...parsed.diagnostics.list.filter(({ severity }) => severity === 'error'));
  if (parsed.document === undefined || parsed.diagnostics.failed) return undefined;
  const refused = [
    ...refusedByAccept(text, fleet.settings.accept),
    ...newRights(own, parsed.document, onHost),
  ];
  for (const { element, line, word } of refused.slice(0, refusalsMax)) {
    const remedy =
      word === undefined
        ? 'only this file may say that'
        : `add "${word}" to "accept", or publish a release without it`;
    diagnostics.error(
      fleet,
      `The fleet's policy says <${element}> (line ${line} of ${file}), which this host does not accept: ${remedy}`,
    );
  }
  return refused.length > 0 ? undefined : parsed.document;
}

/** Reports that the release in force is another fleet's: what is in force stays, and root says what is to become of it. */
function refuseOtherFleet(
  fleet: FleetElement,
  release: PolicyDocument,
  diagnostics: Diagnostics,
): void {
  const { name } = fleet.settings;
  const other = release.fleet?.settings.name;
  if (other === undefined || other === name) return;
  diagnostics.error(
    fleet,
    `This host has a release of the fleet "${other}" in force, not of "${name}": write name="${other}", or run "bulkhead fleet leave" first`,
  );
}

/** Returns what a new release gives to resellers; the one in force was asked when it was new. */
function newRights(
  own: PolicyDocument,
  release: PolicyDocument,
  { paths, words, release: candidate }: OnHost,
): readonly RefusedByAccept[] {
  if (candidate === undefined || own.fleet?.settings.accept.includes('rights') === true) return [];
  const read = readFleetPolicy(paths);
  const text = read.ok ? read.value : undefined;
  const before =
    text === undefined ? undefined : parsePolicy(fleetPolicyFile(paths), text, words).document;
  return needsRights({ own, release, before });
}

/** The elements that need a word of `local`; a host decides alone about all others. */
const localWordOf: Readonly<Record<string, LocalWord>> = {
  defaults: 'limits',
  package: 'packages',
  tenants: 'tenants',
  reseller: 'tenants',
  tenant: 'tenants',
};

/** Reports what the own file says, although the fleet does not leave it to hosts. */
function refuseNotLocal(
  { root }: PolicyDocument,
  fleet: FleetElement,
  release: PolicyDocument,
  diagnostics: Diagnostics,
): void {
  const local = fleet.settings.local ?? release.fleet?.settings.local;
  if (local === undefined) return;
  const refused = root.children.filter(({ name }) => {
    const word = localWordOf[name];
    return word !== undefined && !local.includes(word);
  });
  for (const { name, start } of refused.slice(0, refusalsMax))
    diagnostics.error(
      start,
      `<${name}> is left to the fleet's policy, which lets hosts say: ${local.join(', ') || 'nothing'}; remove it, or write local="${[...local, localWordOf[name]].join(' ')}" in <fleet>`,
    );
}
