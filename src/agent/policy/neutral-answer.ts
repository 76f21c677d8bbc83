/**
 * Keeps from answers to a reseller other accounts, packages that it cannot give, and the host's files. Problems come from
 * many places, so each is read before it is sent, and one that names any of these is replaced. What the reseller itself
 * has sent is quoted whether there is such a name or not: otherwise the answer would tell.
 */
import type { ErrorResponse } from '../api/api.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import type { Tenant } from '../../policy/policy.ts';
import { isGivenBy, type Delegation, type WrittenPolicy } from '../../policy/rights/may-edit.ts';
import { decodeText } from '../../../packages/base/io/regular-file.ts';
import { parseObject } from '../../../packages/base/json.ts';
import { printable } from '../../../packages/base/printable.ts';
import { refusal } from './job-answer.ts';
import { resellerWho, writtenIn, type PolicyContext } from './policy-context.ts';
import type { PolicyJobAnswer, PolicyQuestion } from './policy-job.ts';

const path = /(?:^|[^\w.-])\.{0,2}\/[\w.]/;
const words = /[\p{L}\p{N}_.@-]+/gu;

/** Returns the answer as its reader may see it. */
export function neutralAnswer(
  answer: PolicyJobAnswer,
  context: PolicyContext,
  question: PolicyQuestion,
): PolicyJobAnswer {
  if (context.audience.kind !== 'reseller' || answer.status < 400) return answer;
  const body = JSON.parse(answer.body) as ErrorResponse;
  const { error: _error, action, object = '', reason, hint = '', errno, ...more } = body;
  const text = `${object} ${reason} ${hint}`;
  const isHarmless = errno === undefined && isFreeOf(text, context, sentIn(question));
  if (isHarmless) return answer;
  const neutral = {
    action,
    reason: 'something prevents it that is not in your part of the policy',
    hint: 'retry, or ask the administrator',
  };
  return { ...answer, ...refusal(answer.status, neutral, more) };
}

/** Returns what a request says of the policy; its comment is in no answer. */
function sentIn(question: PolicyQuestion): string {
  if (!('body' in question)) return '';
  const { comment: _comment, ...sent } = parseObject(decodeText(question.body)) ?? {};
  return printable(JSON.stringify(sent));
}

function isFreeOf(text: string, context: PolicyContext, sent: string): boolean {
  if (path.test(text)) return false;
  const written = writtenIn(context.reader.load(context.file, context.paths));
  const own = resellerWho(context, written);
  // Nobody knows whose names a wrong policy has. Refusals of other callers quote nothing.
  if (written === undefined) return !text.includes('"');
  const others = namesOfOthers(written, own);
  return [...text.matchAll(words)].every(([word]) => {
    const name = word.replace(/\.+$/, '');
    return !others.has(name) || sent.includes(name);
  });
}

function namesOfOthers(
  { document, policy }: WrittenPolicy,
  own: Delegation | undefined,
): ReadonlySet<string> {
  const isOwn = ({ reseller }: Pick<Tenant, 'reseller'>) =>
    own !== undefined && reseller === own.reseller.uid;
  const accounts = [
    ...policy.tenants.filter((each) => !isOwn(each)),
    ...policy.resellers.filter(({ uid }) => uid !== own?.reseller.uid),
  ];
  const packages = document.packages.map(({ name }) => name.value);
  const visible = own === undefined ? new Set() : packagesOf(document, policy.tenants, own);
  return new Set([
    ...accounts.flatMap(({ uid, account }) => [`${uid}`, ...(account ? [account.user] : [])]),
    ...packages.filter((each) => !visible.has(each)),
  ]);
}

/** Returns the packages that a reseller sees: what it may give, and what its tenants have. */
export function packagesOf(
  { packages }: PolicyDocument,
  tenants: readonly Tenant[],
  { reseller }: Delegation,
): ReadonlySet<string> {
  const used = new Set(
    tenants.filter((each) => each.reseller === reseller.uid).map((each) => each.package),
  );
  const seen = packages.filter((each) => used.has(each.name.value) || isGivenBy(each, reseller));
  return new Set(seen.map(({ name }) => name.value));
}
