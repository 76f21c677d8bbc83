/** `bulkhead digest preview NAME`: prints the message that a customer or reseller would get now. */
import type { Command } from 'commander';
import { agentRequest } from '../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import {
  failWith,
  loadPolicyOrReport,
  pathsFor,
  print,
  printError,
  printJson,
} from '../../cli/shared/session.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readDigestChoices, type DigestChoices } from '../../host/digest-choices.ts';
import type { Paths } from '../../host/paths.ts';
import { findTenant, observesLimits, type Policy } from '../../policy/policy.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { dayMilliseconds } from '../core/forecast.ts';
import { diskReader, readDiskHistory } from '../io/disk-history.ts';
import { readTexts, textProblems } from '../io/read-texts.ts';
import { digestFor, recipientsOf, type GatherContext } from './gather.ts';
import type { DigestPreviewJson } from './json.ts';
import { rootOnly } from './root-only.ts';
import { digestMail } from './send-digests.ts';

type Message = DigestPreviewJson['messages'][number];

async function preview(name: string, options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const refused = rootOnly('preview a digest');
  if (refused !== undefined) return failWith(refused);
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const { policy } = loaded;
  const { digests = [] } = policy.agent.alerts;
  if (digests.length === 0)
    return failWith({
      action: 'preview a digest',
      reason: 'the policy has no <digest>',
      hint: 'add <digest to="tenant"/> to <alerts>',
    });
  const uids = uidsOf(policy, name);
  if (uids.length === 0)
    return failWith({
      action: 'preview the digest of',
      object: name,
      reason: `it is neither a tenant nor a reseller of ${policy.file}`,
    });
  const choices = readDigestChoices(paths);
  if (!choices.ok) return failWith(choices.error);
  const messages: Message[] = [];
  const without = observesLimits(policy)
    ? ['Limits are only observed, so no mail would be sent']
    : [];
  for (const rule of digests) {
    without.push(...reasonsFor(policy, rule, choices.value, uids));
    const made = await messagesFor(paths, policy, { rule, choices: choices.value }, uids);
    if (!made.ok) return failWith(made.error);
    messages.push(...made.value);
  }
  // A reseller that is a tenant, too, can have the same reason twice.
  const problems = [...new Set([...without, ...textProblems(paths, policy.agent)])];
  show({ messages, problems }, name, options);
  return exitCodes.done;
}

/** Returns why accounts among these get no message: they have no address, or have turned it off. */
const reasonsFor = (
  policy: Policy,
  rule: DigestRule,
  choices: DigestChoices,
  uids: readonly number[],
): readonly string[] =>
  recipientsOf({ policy, rule, choices }).without.flatMap(({ uid, problem }) =>
    uids.includes(uid) ? [`${formatProblem(problem)}, so no mail would be sent`] : [],
  );

function uidsOf(policy: Policy, name: string): readonly number[] {
  const reseller = policy.resellers.find(
    ({ account, uid }) => account?.user === name || String(uid) === name,
  );
  return [findTenant(policy, name), reseller].flatMap((each) =>
    each === undefined ? [] : [each.uid],
  );
}

/** Returns the messages for the day or week that ends now, also those that would not be sent. */
async function messagesFor(
  paths: Paths,
  policy: Policy,
  { rule, choices }: Pick<GatherContext, 'rule' | 'choices'>,
  uids: readonly number[],
): Promise<Result<readonly Message[], Problem>> {
  const now = Date.now();
  const period = { from: now - (rule.every === 'day' ? 1 : 7) * dayMilliseconds, to: now };
  const context = {
    policy,
    rule,
    choices,
    ask: agentRequest(paths),
    readDisk: diskReader(paths),
    disks: readDiskHistory(paths),
    now,
  };
  const { texts } = readTexts(paths, rule.language);
  const messages: Message[] = [];
  const { recipients, without } = recipientsOf(context);
  const unsent = without.map(({ uid }) => ({ address: null, uids: [uid] }));
  for (const each of [...recipients, ...unsent]) {
    if (!each.uids.some((uid) => uids.includes(uid))) continue;
    const { address } = each;
    const digest = await digestFor(context, { ...each, address: address ?? '' }, period);
    if (!digest.ok) return digest;
    if (digest.value === undefined) continue;
    messages.push({ to: rule.to, address, ...digestMail(digest.value, texts) });
  }
  return ok(messages);
}

function show({ messages, problems }: DigestPreviewJson, name: string, { json }: PolicyOptions) {
  if (json === true) {
    printJson({ messages, problems } satisfies DigestPreviewJson);
    return;
  }
  if (messages.length === 0)
    print(`There is nothing to report to ${printable(name)}, so no mail would be sent`);
  for (const { address, subject, text } of messages) {
    const to = address === null ? 'nobody; see the warning' : printable(address);
    print(`To: ${to}\nSubject: ${subject}\n\n${text}`);
  }
  for (const each of problems) printError(`warning: ${each}`);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'a tenant or a reseller');
    command
      .option('--json', 'print as JSON')
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(['bulkhead digest preview alice', 'the message of today; sends nothing']),
      )
      .action(run(preview));
  },
};
