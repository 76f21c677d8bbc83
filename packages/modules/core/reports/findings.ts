/**
 * A report's findings, as a code scanner has them. A finding is a module that contradicts itself,
 * is suspicious or denied, misses the requirement, is refused by the loader, or would taint the
 * kernel. A proof is an error, a lead a warning.
 *
 * A rule is one check, one refusal or one taint; its identifier is stable.
 */
import type { Evidence } from '../evidence/trust-level.ts';
import { taintMeanings, type TaintLetter } from '../kernel/taints.ts';
import type { ModuleReport } from './report.ts';

export type FindingLevel = 'error' | 'warning' | 'note';

export interface ReportFinding {
  readonly rule: string;
  readonly level: FindingLevel;
  /** One or more sentences about this module. */
  readonly message: string;
}

const gravest: readonly FindingLevel[] = ['error', 'warning', 'note'];

/** Returns the graver level: one check can be a proof on one module and a lead on another. */
export const graver = (one: FindingLevel, other: FindingLevel | undefined): FindingLevel =>
  gravest.find((each) => each === one || each === other) ?? one;

/** Taints that mean more than a module's origin. */
const graveTaints: ReadonlySet<string> = new Set(['P', 'F', 'K']);

export function* findingsOf(module: ModuleReport): Generator<ReportFinding> {
  yield* contradictions(module);
  yield* leads(module);
  if (module.accepted === false) yield shortfall(module);
  if (module.undecidedReason !== null) yield undecided(module, module.undecidedReason);
  yield* loaderFindings(module);
  if (module.deniedReason !== null) {
    const message = `Module "${module.name}" is denied: ${module.deniedReason}`;
    yield { rule: 'denied', level: 'note', message };
  }
}

function* contradictions({ name, trustLevel, evidence }: ModuleReport): Generator<ReportFinding> {
  if (trustLevel !== 'contradicted') return;
  const proofs = evidence.filter(({ weight }) => weight === 'proof');
  for (const each of proofs)
    yield { rule: ruleOf(each), level: 'error', message: about(name, each) };
  if (proofs.length > 0) return;
  yield {
    rule: 'trust/contradicted',
    level: 'error',
    message: `Module "${name}" contradicts its own claims`,
  };
}

const ruleOf = ({ check }: Evidence) => `evidence/${check}`;
const about = (name: string, { message }: Evidence) => `Module "${name}": ${message}`;

/** Yields the leads. None of them decides, so none is an error. */
function* leads({ name, evidence }: ModuleReport): Generator<ReportFinding> {
  for (const each of evidence) {
    if (each.weight === 'lead')
      yield { rule: ruleOf(each), level: 'warning', message: about(name, each) };
  }
}

function shortfall({ name, trustLevel, deniedReason }: ModuleReport): ReportFinding {
  const message =
    deniedReason === null
      ? `Module "${name}" is ${trustLevel}, which is below the required trust level`
      : `Module "${name}" is denied: ${deniedReason}`;
  return { rule: 'policy/require', level: 'error', message };
}

const undecided = ({ name }: ModuleReport, why: string): ReportFinding => ({
  rule: 'policy/undecided',
  level: 'warning',
  message: `Cannot decide whether module "${name}" meets the requirement: ${why}`,
});

function* loaderFindings({ name, loader }: ModuleReport): Generator<ReportFinding> {
  if (loader.result === 'refuse') {
    const because = [...loader.reasons, ...loader.messages].slice(0, reasonsMax);
    const message = [`The loader refuses module "${name}" (${errnoOf(loader)})`, ...because].join(
      '; ',
    );
    yield { rule: `loader/${errnoOf(loader)}`, level: 'error', message };
  }
  for (const letter of loader.taints) {
    const message = `Module "${name}" taints the kernel with ${letter}: ${meaningOf(letter)}`;
    yield { rule: `taint/${letter}`, level: graveTaints.has(letter) ? 'warning' : 'note', message };
  }
  for (const letter of loader.taintsUnlessTrusted) {
    const message = `Module "${name}" taints the kernel with ${letter} unless a keyring of the kernel holds the key that signed it: ${meaningOf(letter)}`;
    yield { rule: `taint/${letter}`, level: 'note', message };
  }
}

/** The most reasons listed; a module may have thousands of unknown symbols. */
const reasonsMax = 20;

const errnoOf = ({ errnoName }: ModuleReport['loader']) => errnoName ?? 'refused';

const meaningOf = (letter: string): string =>
  letter in taintMeanings
    ? taintMeanings[letter as TaintLetter]
    : 'a taint without a known meaning';

const policyRules: Readonly<Record<string, string>> = {
  undecided: 'Cannot decide whether a module meets the requirement',
};

/** Describes a rule in one sentence. */
export function formatRule(rule: string): string {
  const [kind = '', what = ''] = rule.split('/');
  if (kind === 'evidence') return `Evidence on a module: ${what.replaceAll('-', ' ')}`;
  if (kind === 'trustLevel') return 'A module contradicts its own claims';
  if (kind === 'policy') return policyRules[what] ?? 'A module does not meet the requirement';
  if (kind === 'loader') return `The kernel's loader refuses a module with ${what}`;
  if (kind === 'taint') return `A module taints the kernel with ${what}: ${meaningOf(what)}`;
  return 'A module is denied by the policy or by modprobe.d';
}
