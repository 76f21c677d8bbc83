/** Policy file → Policy, with all diagnostics. A file with errors is not applied. */
import { availableParallelism } from 'node:os';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import { askDirectory, readHostFacts, readUidRange } from '../host/accounts/accounts.ts';
import { findMissingAccounts } from '../host/accounts/named-accounts.ts';
import { readLastPackages } from '../host/last-packages.ts';
import { readPanelRecord } from '../host/panel-record.ts';
import type { Paths } from '../host/paths.ts';
import { readSiteLimits } from '../host/site-limits.ts';
import { readPolicyFile } from '../host/policy-file.ts';
import type { Diagnostic, Diagnostics } from '../policy/diagnostic.ts';
import type { PolicyDocument } from '../policy/document.ts';
import type { ParsedPolicy } from '../policy/parse.ts';
import type { HostFacts, Policy } from '../policy/policy.ts';
import { resolvePolicy } from '../policy/resolve.ts';
import type { AlertWords } from '../policy/settings.ts';
import { incidentWords } from '../usage/incident-kinds.ts';
import type { PolicyCapability } from './capability.ts';
import { parseOnHost } from './parse-on-host.ts';
import type { PolicyFormat } from './policy-format.ts';

export interface Loaded {
  /** The policy; absent if the file has errors, or could not be read. */
  readonly policy: Policy | undefined;
  readonly document: PolicyDocument | undefined;
  /** The diagnostics, in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
  /** The reason why the file could not be read. */
  readonly problem: Problem | undefined;
  /** Whether it names accounts that neither the host nor the last apply has found. */
  readonly namesUnknown: boolean;
  /** The text of a file that could be read. */
  readonly text?: string;
}

/** Reads policies in Bulkhead's own XML, and in other formats. */
export class PolicyReader {
  readonly #formats: readonly PolicyFormat[];
  readonly #words: AlertWords;

  /** `words` name the subjects of alerts that are not limits. */
  constructor(formats: readonly PolicyFormat[] = [], words: AlertWords = new Map()) {
    this.#formats = formats;
    this.#words = words;
  }

  /** `release`: a fleet's policy that lies below, in place of the release in force. */
  load(file: string, paths: Paths, release?: string): Loaded {
    const read = readPolicyFile(file);
    if (read.ok) return { ...this.resolve(file, read.value, paths, release), text: read.value };
    const problem = read.error;
    return {
      policy: undefined,
      document: undefined,
      diagnostics: [],
      problem,
      namesUnknown: false,
    };
  }

  /** Reads what the file says, without its meaning on this host: no account is looked up. */
  read(file: string, paths: Paths): Pick<Loaded, 'document' | 'problem'> {
    const read = readPolicyFile(file);
    return read.ok
      ? { document: this.#parse(file, read.value, paths).document, problem: undefined }
      : { document: undefined, problem: read.error };
  }

  #parse(file: string, text: string, paths: Paths, release?: string): ParsedPolicy {
    const format = this.foreignFormat(text);
    return format === undefined
      ? parseOnHost(file, text, { paths, words: this.#words, release })
      : format.parse(file, text, { cores: availableParallelism(), uids: readUidRange(paths) });
  }

  /**
   * Resolves a text; `file` only names it in diagnostics. `release`: the fleet's policy to lie below, instead of the one
   * of the release in force.
   */
  resolve(file: string, text: string, paths: Paths, release?: string): Loaded {
    const { document, diagnostics, isPartial } = this.#parse(file, text, paths, release);
    if (document === undefined || isPartial === true)
      return loaded(undefined, document, diagnostics);
    const { facts, namesUnknown } = factsFor(document, paths, diagnostics);
    const kept = readSiteLimits(paths, facts.accounts);
    for (const each of kept.problems) diagnostics.warn(0, formatProblem(each));
    const known = document.panel === undefined ? {} : panelFacts(paths);
    const policy = resolvePolicy(document, { ...facts, siteLimits: kept.limits, ...known });
    return loaded(policy, document, diagnostics, namesUnknown);
  }

  /** Returns the format of a policy that is not written in Bulkhead's own XML. */
  foreignFormat(text: string): PolicyFormat | undefined {
    return this.#formats.find((each) => each.matches(text));
  }
}

/** Returns a reader that knows the formats of these capabilities, and their words in alert rules. */
export async function policyReader(
  capabilities: readonly PolicyCapability[],
): Promise<PolicyReader> {
  return new PolicyReader(
    await Promise.all(capabilities.flatMap(({ policyFormat }) => policyFormat?.() ?? [])),
    incidentWords(capabilities),
  );
}

function loaded(
  policy: Policy | undefined,
  document: PolicyDocument | undefined,
  diagnostics: Diagnostics,
  namesUnknown = false,
): Loaded {
  const own = document?.file;
  const list = diagnostics.list.toSorted(
    (a, b) =>
      Number(a.file !== own) - Number(b.file !== own) || a.line - b.line || a.column - b.column,
  );
  return {
    policy: diagnostics.failed ? undefined : policy,
    document,
    diagnostics: list,
    problem: undefined,
    namesUnknown,
  };
}

const panelFacts = (paths: Paths): Pick<HostFacts, 'panel' | 'lastPackages'> => ({
  panel: readPanelRecord(paths),
  lastPackages: readLastPackages(paths),
});

interface FactsFor {
  readonly facts: HostFacts;
  readonly namesUnknown: boolean;
}

/** Returns host facts, with accounts that the policy names and that only the last apply has found. */
function factsFor(document: PolicyDocument, paths: Paths, diagnostics: Diagnostics): FactsFor {
  const named = namedUsers(document);
  const facts = readHostFacts(paths, named);
  const { accounts } = facts;
  const { missing, problem } = findMissingAccounts(paths, named, accounts, askDirectory);
  if (problem !== undefined) diagnostics.warn(0, formatProblem(problem));
  const last = [...missing.values()].filter(({ state }) => state === 'missing');
  const known = new Set([...accounts.map(({ user }) => user), ...missing.keys()]);
  return {
    facts: { ...facts, accounts: [...accounts, ...last.map(({ account }) => account)], missing },
    namesUnknown: named.some((user) => !known.has(user)),
  };
}

function namedUsers(document: PolicyDocument): readonly string[] {
  const elements = [
    ...document.tenants,
    ...document.resellers,
    ...document.resellers.flatMap((each) => each.tenants),
  ];
  const names = elements.flatMap(({ name }) =>
    name.value.kind === 'user' ? [name.value.user] : [],
  );
  const except = document.tenantRanges.flatMap((each) => each.except.map((word) => word.value));
  return [...names, ...except.filter((word) => !/^\d+$/.test(word))];
}
