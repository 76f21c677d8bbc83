/**
 * Reads a policy and applies it, in a separate process. Reading a large policy, reclaiming a tenant's memory, or a
 * systemd command may take long, and the agent must keep ticking.
 *
 * In: an `ApplyRequest`, then the end. Out: an `ApplyResponse`. Both as v8.serialize writes them, which is fast, and
 * keeps maps and what tenants share. Lines such as `progress 40` on standard error report its progress.
 */
import { buffer } from 'node:stream/consumers';
import { deserialize, serialize } from 'node:v8';
import { applyRequest, type ApplyRequest } from './apply/apply-request.ts';
import { capabilities } from './capabilities.ts';
import { endWithParent } from './sys/processes/child-script.ts';
import { requireSameBuild } from './sys/processes/same-build.ts';

requireSameBuild();
endWithParent();
const request = deserialize(await buffer(process.stdin)) as ApplyRequest;
process.stdout.write(serialize(await applyRequest(request, capabilities)));
