/**
 * Reads, plans and writes the policy for the agent, in a separate process: a large policy takes long, and the agent must
 * keep ticking. What clients send is parsed here, too.
 *
 * In: messages with a `NumberedJob`, until the end. Out: for each a message with a `NumberedAnswer`.
 */
import { runPolicyJob } from './agent/policy/run-job.ts';
import type { NumberedAnswer, NumberedJob } from './agent/policy/policy-process.ts';
import { capabilities } from './capabilities.ts';
import { endWithParent } from './sys/processes/child-script.ts';
import { Frames, frameOf } from './sys/processes/frames.ts';
import { requireSameBuild } from './sys/processes/same-build.ts';

/** More than the largest request has. */
const jobBytesMax = 64 * 2 ** 20;
const jobsMax = 500;
/** The memory above which it ends after an answer. */
const residentBytesMax = 384 * 2 ** 20;

requireSameBuild();
endWithParent();
const frames = new Frames(jobBytesMax);
for await (const chunk of process.stdin)
  for (const message of frames.add(chunk as Buffer)) {
    const { number, job } = message as NumberedJob;
    const answer = await runPolicyJob(job, capabilities);
    const isLast = number >= jobsMax || process.memoryUsage.rss() > residentBytesMax;
    process.stdout.write(frameOf({ number, answer, isLast } satisfies NumberedAnswer));
  }
