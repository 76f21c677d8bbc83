/**
 * The limits of packages, and changes of them:
 *
 *     {"items": 1, "packages": [{"limits": {…}, "name": "gold", "reseller": "root"}], "result": "success"}
 *
 * `*` before a limit marks one of the package's own; the others are the defaults.
 */
import { availableParallelism } from 'node:os';
import { printable } from '../../../../packages/base/printable.ts';
import { limitNumbers } from '../../../agent/sampling/limit-numbers.ts';
import type { PackageElement, PolicyDocument } from '../../../policy/document.ts';
import { defaultsOf, valuesIn } from '../lve-edits.ts';
import { readPolicy, type EditablePolicy } from '../lve-policy.ts';
import { lveRow, lveTable } from '../rows.ts';
import { panelLimits, type PanelLimits } from './limits-shape.ts';
import { changeLimits, changesLimits, setsLimits, type PanelEditOptions } from './panel-edit.ts';
import { failedReply, misusedReply, type PanelReply } from './panel-reply.ts';

export interface PanelPackage {
  /** The limits. A star marks the package's own; `0` is none. */
  readonly limits: PanelLimits;
  /** The name of the package. */
  readonly name: string;
  /** Always `root`: packages of the policy belong to the administrator. */
  readonly reseller: 'root';
}

export interface PanelPackages {
  /** The number of packages. */
  readonly items: number;
  /** The packages, in the order of the policy. */
  readonly packages: readonly PanelPackage[];
  /** Always `success`. */
  readonly result: 'success';
}

export interface PackagesOptions extends PanelEditOptions {
  readonly policy: string;
  readonly apply: boolean;
  readonly json?: boolean;
  readonly package?: string;
  readonly resellerName?: string;
}

type Reply = PanelReply<PanelPackages>;

export async function packagesReply(
  [verb, ...rest]: readonly string[],
  options: PackagesOptions,
  policy: EditablePolicy,
): Promise<Reply> {
  const { resellerName } = options;
  if (resellerName !== undefined && resellerName !== 'root') {
    const reason = 'packages of the policy belong to the administrator, "root"';
    return failedReply({ action: 'use packages of', object: resellerName, reason });
  }
  if (rest.length === 0 && verb === 'get') return get(options, policy);
  if (rest.length === 0 && verb === 'set') return set(options, policy);
  return misusedReply({ reason: 'Write "get" or "set", and options' });
}

function get({ package: name }: PackagesOptions, policy: EditablePolicy): Reply {
  const read = readPolicy(policy.reader, policy.file, policy.paths);
  if (!read.ok) return failedReply(...read.error);
  const { document } = read.value;
  const shown = document.packages.filter((each) => name === undefined || each.name.value === name);
  if (shown.length === 0 && name !== undefined) return noSuchPackage(name);
  const rows = shown.map((each) => packageOf(each, document));
  return {
    kind: 'shown',
    json: { items: rows.length, packages: rows, result: 'success' },
    text: tableOf(shown, document),
  };
}

const noSuchPackage = (object: string) =>
  failedReply({ action: 'find the package', object, reason: 'the policy has none of that name' });

const numbersOf = (element: PackageElement, document: PolicyDocument) =>
  limitNumbers({ ...defaultsOf(document), ...valuesIn(element) });

const packageOf = (element: PackageElement, document: PolicyDocument): PanelPackage => ({
  limits: panelLimits(numbersOf(element, document), (key) => element.values.has(key)),
  name: printable(element.name.value),
  reseller: 'root',
});

function tableOf(elements: readonly PackageElement[], document: PolicyDocument): string {
  const cores = availableParallelism();
  return lveTable(
    elements.map((each) => lveRow(each.name.value, numbersOf(each, document), cores)),
  );
}

/** Sets limits; a package that the policy does not have yet is created, as `lvectl package-set` does. */
async function set(options: PackagesOptions, policy: EditablePolicy): Promise<Reply> {
  const { package: name } = options;
  if (name === undefined) return misusedReply({ reason: 'Name a package: --package' });
  if (!setsLimits(options)) {
    const found = get(options, policy);
    if (found.kind !== 'shown') return found;
  }
  if (!changesLimits(options)) return { kind: 'changed', warnings: [] };
  return changeLimits(policy, { kind: 'package', name }, options);
}
