/** `bulkhead digest send`: sends the digests that are due. The agent runs it every ten minutes. */
import type { Command } from 'commander';
import { resolve } from 'node:path';
import type { StatusResponse } from '../../agent/api/status-response.ts';
import { agentRequest, type AgentRequest } from '../../cli/shared/agent-request.ts';
import { policyReaderOf } from '../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { namesPolicy, policyOption } from '../../cli/shared/policy-option.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../cli/shared/output.ts';
import { mkdirSync } from 'node:fs';
import { count } from '../../../packages/base/list.ts';
import { realPathOf } from '../../../packages/base/io/read.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readDigestChoices } from '../../host/digest-choices.ts';
import type { Paths } from '../../host/paths.ts';
import { observesLimits, type Policy } from '../../policy/policy.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { isLocked, lockFile } from '../../sys/files/flock.ts';
import { diskReader, sampleDisks } from '../io/disk-history.ts';
import { Ledger } from '../io/ledger.ts';
import { readTexts } from '../io/read-texts.ts';
import { sendDigests, type SendResult } from './send-digests.ts';
import type { DigestSendJson } from './json.ts';
import { rootOnly } from './root-only.ts';

async function send(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const refused = rootOnly('send digests');
  if (refused !== undefined) return failWith(refused);
  const ask = agentRequest(paths, { json: true });
  const status = await ask<StatusResponse>('/v1/status');
  const file = namesPolicy(command) || !status.ok ? options.policy : status.value.policy.file;
  const { policy, problem } = (await policyReaderOf(command)).load(file, paths);
  if (policy === undefined)
    return failWith(
      problem ?? {
        action: 'read',
        object: file,
        reason: 'it has mistakes',
        hint: `see "bulkhead check ${file}"`,
      },
    );
  const draft = hasDigests(policy) ? draftProblem(status, file) : undefined;
  if (draft !== undefined) return failWith(draft);
  const done = await sendAll(paths, policy, ask);
  if (!done.ok) return failWith(done.error);
  const problems = done.value.flatMap((each) => each.problems);
  const digests = done.value.map(({ problems: _problems, ...rest }) => rest);
  if (options.json === true) printJson({ digests, problems } satisfies DigestSendJson);
  else {
    for (const each of digests) print(resultText(each));
    for (const each of problems) printError(each);
    if (digests.length === 0) print(nothingText(policy));
  }
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

/** Returns why nothing may be sent or recorded for this policy: it is not the one that the agent follows. */
function draftProblem(status: Result<StatusResponse, Problem>, file: string): Problem | undefined {
  if (!status.ok) return status.error;
  const followed = status.value.policy.file;
  if (realPath(followed) === realPath(file)) return undefined;
  return {
    action: 'send the digests of',
    object: file,
    reason: `the agent follows ${followed}`,
    hint: 'to see a message of another policy, run: bulkhead digest preview NAME --policy FILE',
  };
}

const realPath = (file: string): string => realPathOf(file) ?? resolve(file);

const digestsOf = ({ agent }: Policy) => agent.alerts.digests ?? [];

/** Whether there may be something to send. */
const hasDigests = (policy: Policy): boolean =>
  digestsOf(policy).length > 0 && !observesLimits(policy);

function nothingText(policy: Policy): string {
  if (hasDigests(policy)) return 'Another process is sending the digests at the moment';
  return observesLimits(policy)
    ? 'Limits are only observed, so there is nothing to report to customers'
    : 'Nothing to send: the policy has no <digest>';
}

const resultText = ({ to, slot, sent, failed }: Omit<SendResult, 'problems'>) =>
  slot === null
    ? `${to}: nothing is due`
    : `${to}, ${slot}: ${count(sent, 'message')} sent${failed === 0 ? '' : `, ${failed} failed`}`;

async function sendAll(
  paths: Paths,
  policy: Policy,
  ask: AgentRequest,
): Promise<Result<readonly SendResult[], Problem>> {
  if (!hasDigests(policy)) return ok([]);
  mkdirSync(paths.runtime, { recursive: true, mode: 0o755 });
  const path = `${paths.runtime}/digest.lock`;
  const lock = lockFile(path, { waitMs: 0 });
  if (!lock.ok) return isLocked(path) ? ok([]) : lock;
  using _lock = lock.value;
  const now = Date.now();
  const readDisk = diskReader(paths);
  const disks = await sampleDisks(paths, policy, readDisk, now);
  if (!disks.ok) return disks;
  const choices = readDigestChoices(paths);
  if (!choices.ok) return choices;
  const opened = Ledger.open(paths, now);
  if (!opened.ok) return opened;
  using ledger = opened.value;
  const route = { smtp: policy.agent.alerts.smtp, sendmail: '/usr/sbin/sendmail' };
  const shared = {
    policy,
    ask,
    choices: choices.value,
    readDisk,
    disks: disks.value,
    now,
    clock: Date.now,
    ledger,
    route,
  };
  const results: SendResult[] = [];
  for (const rule of digestsOf(policy)) {
    const { texts } = readTexts(paths, rule.language);
    const done = await sendDigests({ ...shared, rule, texts });
    results.push(done.ok ? done.value : nothingSent(rule, done.error));
  }
  return ok(results);
}

/** The result of a rule that could not begin; the other one goes on. */
const nothingSent = ({ to }: DigestRule, problem: Problem): SendResult => ({
  to,
  slot: null,
  sent: 0,
  failed: 0,
  leftOut: 0,
  problems: [problem],
});

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(['bulkhead digest send', 'messages that are due and not sent yet; none twice']),
      )
      .action(run(send));
  },
};
