/** The verbs of lvectl that change the policy, and those that apply it. */
import type { ProblemOrCause } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { targetOf } from '../../../apply/edits/edit-target.ts';
import { formatTarget, type EditTarget } from '../../../policy/edit.ts';
import { findTenant } from '../../../policy/policy.ts';
import { clear, removeOrClear, settingEdit } from '../lve-edits.ts';
import {
  applyFile,
  changePolicyAndApply,
  readPolicy,
  type LveEdit,
  type ReadPolicy,
} from '../lve-policy.ts';
import type { LvectlCall, Verb, Verbs } from './call.ts';
import { failedReply, misusedReply, type LveReply } from './reply.ts';
import { defaultId } from './reading-verbs.ts';

export const editingVerbs: Verbs = {
  set: setting(
    'ID|default',
    'set the limits of a tenant, by uid, or the defaults',
    tenantOrDefaults,
  ),
  'set-user': setting('NAME', 'set the limits of a tenant, by account', tenant),
  'package-set': setting('NAME', 'set the limits of a package; a new one is created', packageNamed),
  'set-reseller': setting('NAME', 'set the limits of a reseller as a whole', reseller),
  delete: clearing('ID', 'remove the limits of a tenant, which then inherits', tenant, clear),
  'delete-user': clearing('NAME', 'the same by account', tenant, clear),
  'package-delete': clearing(
    'NAME',
    'remove a package, or only its limits while tenants have it',
    packageNamed,
    removeOrClear,
  ),
  'remove-reseller': clearing(
    'NAME',
    'remove a reseller, or only its limits while it has tenants',
    reseller,
    removeOrClear,
  ),
  apply: { words: 'ID|all', does: 'apply the policy', run: apply },
  'apply-many': {
    words: '',
    does: 'the same for the uids on standard input',
    run: applyMany,
  },
};

type Naming = (name: string, call: LvectlCall) => EditTarget;

function tenant(name: string, { paths }: LvectlCall): EditTarget {
  return targetOf('tenant', name, paths);
}

function tenantOrDefaults(name: string, call: LvectlCall): EditTarget {
  return name === defaultId ? { kind: 'defaults' } : tenant(name, call);
}

function packageNamed(name: string): EditTarget {
  return { kind: 'package', name };
}

function reseller(name: string, { paths }: LvectlCall): EditTarget {
  return targetOf('reseller', name, paths);
}

function setting(words: string, does: string, naming: Naming): Verb {
  return editing(`${words} LIMITS`, does, naming, (target, { options, paths }) =>
    settingEdit(target, options, paths),
  );
}

function clearing(
  words: string,
  does: string,
  naming: Naming,
  edit: (
    text: string,
    target: EditTarget,
    now: ReadPolicy | undefined,
  ) => Result<string, readonly ProblemOrCause[]>,
): Verb {
  return editing(words, does, naming, (target) => (text, now) => edit(text, target, now));
}

function editing(
  words: string,
  does: string,
  naming: Naming,
  editOf: (target: EditTarget, call: LvectlCall) => LveEdit,
): Verb {
  const run = (call: LvectlCall): LveReply | Promise<LveReply> => {
    const [name, more] = call.words;
    if (name === undefined || more !== undefined) {
      return misusedReply({
        reason: `Write one ${words.split(' ')[0]}`,
        hint: '"bulkhead lvectl help" lists the commands',
      });
    }
    const target = naming(name, call);
    return changeAndApply(call, target, editOf(target, call));
  };
  return { words, does, run };
}

async function changeAndApply(
  { options, paths, capabilities, reader }: LvectlCall,
  target: EditTarget,
  edit: LveEdit,
): Promise<LveReply> {
  const { policy: file, apply } = options;
  const edited = await changePolicyAndApply({ file, apply, paths, capabilities, reader }, edit);
  if (!edited.ok) return failedReply(edited.error);
  const { changed, warnings } = edited.value;
  const message = changed
    ? `Changed ${formatTarget(target)} in ${file}`
    : `Nothing to change in ${file}`;
  return { kind: 'done', message, warnings };
}

function apply(call: LvectlCall): LveReply | Promise<LveReply> {
  const [name, more] = call.words;
  if (name === undefined || more !== undefined) {
    return misusedReply({ reason: 'Write the uid of a tenant, or "all", after apply' });
  }
  return applyAll(call, name === 'all' ? [] : [name]);
}

/** Applies the whole policy: the cgroup of a single tenant would have no parent. */
async function applyAll(
  { options, paths, capabilities, reader }: LvectlCall,
  names: readonly string[],
): Promise<LveReply> {
  const read = readPolicy(reader, options.policy, paths);
  if (!read.ok) return failedReply(read.error);
  const { policy } = read.value;
  const unknown = names.filter((each) => findTenant(policy, each) === undefined);
  const problems = [
    ...unknown.map((object) => ({
      action: 'apply',
      object,
      reason: 'the policy has no such tenant',
    })),
    ...(await applyFile(capabilities, reader, options.policy, paths)),
  ];
  if (problems.length > 0) return failedReply(problems);
  return { kind: 'done', message: `Applied ${options.policy}`, warnings: [] };
}

async function applyMany(call: LvectlCall): Promise<LveReply> {
  const words = await wordsOfInput();
  if (words !== undefined) return applyAll(call, words);
  return failedReply([
    {
      action: 'read uids from standard input',
      reason: `it is longer than ${inputBytesMax} bytes`,
    },
  ]);
}

/** The maximum input: more than the uids of any host. */
const inputBytesMax = 2 ** 20;

/** Returns the words of standard input; undefined if there are too many. */
async function wordsOfInput(): Promise<readonly string[] | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > inputBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .split(/\s+/)
    .filter((word) => word !== '');
}
