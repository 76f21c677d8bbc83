/**
 * Reads, plans and writes the policy for the agent, in a separate process: a large policy takes long, and the agent must
 * keep ticking. What clients send is parsed here, too.
 *
 * In: a `PolicyJob`, then the end. Out: a `PolicyJobAnswer`. Both as v8.serialize writes them.
 */
import { buffer } from 'node:stream/consumers';
import { deserialize, serialize } from 'node:v8';
import { runPolicyJob } from './agent/policy/run-job.ts';
import type { PolicyJob } from './agent/policy/policy-job.ts';
import { capabilities } from './capabilities.ts';
import { endWithParent } from './sys/processes/child-script.ts';
import { requireSameBuild } from './sys/processes/same-build.ts';

requireSameBuild();
endWithParent();
const job = deserialize(await buffer(process.stdin)) as PolicyJob;
process.stdout.write(serialize(await runPolicyJob(job, capabilities)));
