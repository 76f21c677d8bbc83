/** One module in detail, in plain words. */
import type { Kernel } from '../../../packages/modules/core/kernel/kernel.ts';
import {
  importsOf,
  modinfo,
  modinfoAll,
  infoName,
} from '../../../packages/modules/core/record/module.ts';
import {
  lettersOf,
  taintMeanings,
  type TaintLetter,
} from '../../../packages/modules/core/kernel/taints.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import type { ScannedFile } from '../../../packages/modules/io/scan/read-modules.ts';
import type { SurveyedModule } from '../../../packages/modules/io/scan/survey.ts';
import { machineName, packageName } from '../../../packages/modules/io/scan/module-report.ts';
import { count } from '../../cli/shared/output.ts';
import { wrap, type Terminal } from '../../cli/shared/terminal.ts';
import { shortened } from '../../../packages/modules/core/reports/shortened.ts';
import { logLines } from './log-lines.ts';
import { subsystemOf } from './subsystems.ts';
import { printable } from '../../../packages/base/printable.ts';

interface Neighbours {
  readonly kernel: Kernel;
  /** The host or kernel whose command line and lockdown the verdict uses. */
  readonly settingsFrom: string | undefined;
  /** All modules of the tree, with or without the one that is explained. */
  readonly tree: readonly ScannedFile[];
  readonly denied: string | undefined;
}

export function explainModule(
  surveyed: SurveyedModule,
  neighbours: Neighbours,
  terminal: Terminal,
): string {
  const sections = [
    identity(surveyed),
    loader(surveyed, neighbours),
    gplOnly(surveyed, neighbours),
    users(surveyed, neighbours),
    trustLevel(surveyed, neighbours.denied),
  ];
  const { colors } = terminal;
  return sections
    .map(([title, ...lines]) => {
      const text = lines.map((line) => wrap(`  ${printable(line)}`, terminal.columns, '    '));
      return [colors.bold(printable(title ?? '')), ...text].join('\n');
    })
    .join('\n\n');
}

type Lines = readonly string[];

function identity({ file, module, signature, origin }: SurveyedModule): Lines {
  const tags = ['description', 'author', 'license', 'version', 'srcversion', 'vermagic'];
  const logged = tags.flatMap((tag) =>
    modinfoAll(module, tag).map(
      (value) => `${tag}: ${value === '' ? '(empty)' : shortened(value)}`,
    ),
  );
  const signer = signature.signer === undefined ? '' : ` (${signature.signer})`;
  return [
    infoName(module) ?? bareName(file),
    `file: ${file}`,
    ...(packageName({ origin }) === null ? [] : [`package: ${packageName({ origin })}`]),
    ...logged,
    `machine: ${machineName(module.machine)}, ${module.bytes} bytes`,
    ...(module.buildId === undefined ? [] : [`build id: ${module.buildId}`]),
    `signature: ${signature.outcome}${signer}`,
  ];
}

function loader(
  { verdict }: SurveyedModule,
  { kernel: { release }, settingsFrom }: Neighbours,
): Lines {
  const outcome =
    verdict.result === 'load'
      ? 'The loader would accept it'
      : `The loader would refuse it with ${verdict.errno ?? 'no error number'}`;
  const { kernelTaint, openKernelTaint } = verdict;
  const meanings = (mask: number) =>
    Array.from(lettersOf(mask), (letter) => `${letter}: ${taintMeanings[letter as TaintLetter]}`);
  const taints = meanings(kernelTaint - openKernelTaint);
  const open = meanings(openKernelTaint);
  return [
    'What the kernel would do',
    outcome,
    ...verdict.reasons.map((each) => each.reason),
    ...afterwards(taints, open),
    ...logLines(verdict),
    ...verdict.unknown.map((each) => `unknown: ${each}`),
    ...(settingsFrom === undefined ? [] : [`judged for Linux ${release} with ${settingsFrom}`]),
  ];
}

const unlessTrusted = 'unless one of its keyrings holds the key that signed the module';

function afterwards(taints: Lines, open: Lines): Lines {
  const certain = `The kernel is then tainted: ${taints.join('; ')}`;
  if (open.length === 0) return [taints.length === 0 ? 'The kernel stays untainted' : certain];
  const perhaps = `tainted ${open.join('; ')}, ${unlessTrusted}`;
  return taints.length === 0
    ? [`The kernel is ${perhaps}`]
    : [certain, `and ${unlessTrusted}: ${open.join('; ')}`];
}

function gplOnly(surveyed: SurveyedModule, { kernel, tree }: Neighbours): Lines {
  const owners = new Map<string, string>();
  for (const each of tree) {
    for (const { name } of each.module.exports) owners.set(name, bareName(each.file));
  }
  const byOwner = new Map<string, string[]>();
  for (const name of surveyed.gplOnly) {
    const owner = kernel.exports.has(name)
      ? `the kernel, ${subsystemOf(name)}`
      : (owners.get(name) ?? 'unknown');
    byOwner.set(owner, [...(byOwner.get(owner) ?? []), name]);
  }
  const imports = importsOf(surveyed.module).length;
  return [
    'GPL-only symbols',
    `It imports ${count(imports, 'symbol')}, ${surveyed.gplOnly.length} of them GPL-only`,
    ...[...byOwner].sort().map(([owner, names]) => `from ${owner}: ${names.sort().join(', ')}`),
  ];
}

function users(surveyed: SurveyedModule, { tree }: Neighbours): Lines {
  const own = new Set(surveyed.module.exports.map((each) => each.name));
  if (own.size === 0) return ['What uses it', 'It exports nothing'];
  const by = tree.flatMap((each) => {
    const used = importsOf(each.module).filter(({ name }) => own.has(name)).length;
    return used === 0 ? [] : [`${bareName(each.file)} (${used})`];
  });
  const gpl = surveyed.module.exports.filter((each) => each.gplOnly).length;
  const exported = `It exports ${count(own.size, 'symbol')}, ${gpl} of them GPL-only`;
  return [
    'What uses it',
    exported,
    by.length === 0 ? 'No module of this kernel uses them' : `used by ${by.join(', ')}`,
  ];
}

const weights = { proof: 'proof', lead: 'worth checking', support: 'support', note: 'note' };

function trustLevel(surveyed: SurveyedModule, denied: string | undefined): Lines {
  return [
    `Trust level: ${surveyed.trustLevel}`,
    ...(denied === undefined ? [] : [`denied: ${denied}`]),
    ...surveyed.evidence.map((each) => `${weights[each.weight]}: ${each.message} [${each.check}]`),
    ...(modinfo(surveyed.module, 'srcversion') === undefined
      ? ['It has no srcversion; only a rebuild can show which source it was built from']
      : []),
  ];
}
