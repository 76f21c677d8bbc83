/** Decides whether somebody may make a change: a reseller names nothing but its own tenants, and learns nothing of others. */
import { isDeepStrictEqual } from 'node:util';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { EditErrors } from '../../../apply/edit.ts';
import { parseTarget } from '../../../apply/edits/edit-target.ts';
import { withChange, type WantedChange } from '../../../apply/edits/wanted-change.ts';
import type { Loaded } from '../../../apply/load-policy.ts';
import { readChangeText } from '../../../apply/read-changes.ts';
import type { Host } from '../../../host/host.ts';
import type { AccountTarget } from '../../../policy/edit.ts';
import {
  mayEdit,
  type Delegation,
  type EditFacts,
  type WrittenPolicy,
} from '../../../policy/rights/may-edit.ts';
import { refused, type Answered } from '../job-answer.ts';
import { packagesOf } from '../neutral-answer.ts';
import { resellerWho, writtenIn, type PolicyContext } from '../policy-context.ts';

/** Makes the change in the text. A reseller names nothing but its own tenants, and learns nothing of others. */
export function editAsAsked(
  text: string,
  now: () => Loaded,
  change: WantedChange,
  context: PolicyContext,
): Result<string, EditErrors> {
  if (context.audience.kind === 'administrator') return withChange(text, change, context.paths);
  const foreign = whyNotAsked(change, now, context);
  return foreign === undefined ? withChange(text, change, context.paths) : fail([foreign]);
}

function whyNotAsked(change: WantedChange, now: () => Loaded, context: PolicyContext) {
  const action = 'change the policy';
  const written = writtenIn(now());
  const own = resellerWho(context, written);
  if (written === undefined || own === undefined)
    return { action, reason: 'the policy does not let you change it' };
  switch (change.kind) {
    case 'text':
      return { action, reason: 'only root may replace its text', hint: 'send edits' };
    case 'undo': {
      const found = readChangeText(context.paths, change.number);
      return found.ok && found.value.change.uid === own.reseller.uid
        ? undefined
        : { action, reason: cannotUndo };
    }
    case 'edits': {
      const isWrong = change.edits.some(({ target }) => !isOwnTarget(target, own, context));
      if (isWrong) return { action, reason: 'you may only change tenants in your element' };
      const known = packagesOf(written.document, written.policy.tenants, own);
      const given = change.edits.flatMap(({ set }) => set.filter(([name]) => name === 'package'));
      // Whether there is another one is not for its eyes.
      return given.every(([, name]) => known.has(name))
        ? undefined
        : { action, reason: 'there is no such package that you may give' };
    }
  }
}

function isOwnTarget(text: string, { element }: Delegation, { paths }: PolicyContext): boolean {
  const target = parseTarget(text, paths);
  if (!target.ok || target.value.kind !== 'tenant') return false;
  const { name, alias }: AccountTarget = target.value;
  return element.tenants.some((each) =>
    [name, alias].some((known) => isDeepStrictEqual(each.name.value, known)),
  );
}

export function whetherAllowed(
  context: PolicyContext,
  before: WrittenPolicy | undefined,
  after: WrittenPolicy | undefined,
): Answered<void> {
  const { editor, host } = context;
  const action = 'change the policy';
  if (editor.kind === 'administrator') return ok(undefined);
  if (before === undefined || after === undefined)
    return refused(409, { action, reason: 'it has errors', hint: 'ask the administrator' });
  const may = mayEdit(editor, before, after, factsOf(host, after));
  return may.ok ? ok(undefined) : refused(403, { action, ...may.error });
}

function factsOf(host: Host, { policy }: WrittenPolicy): EditFacts {
  const driver = host.probe(policy.driver);
  using probed = driver.ok ? driver.value : undefined;
  return { boundsSumOfIo: probed?.tree.version === 2 };
}

/** Whether the editor may change one text into the other. */
export function mayEditTexts(
  { reader, file, paths, editor, host }: PolicyContext,
  before: string,
  after: string,
): boolean {
  const [was, is] = [before, after].map((text) => writtenIn(reader.resolve(file, text, paths)));
  if (was === undefined || is === undefined) return false;
  return mayEdit(editor, was, is, factsOf(host, is)).ok;
}

/** The reason for a reseller. */
export const cannotUndo = 'it is not one of yours, or something has another value since';
