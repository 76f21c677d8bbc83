/** A courier of its own process, with short times: `courier-child.ts CREDENTIAL INSTANCE`. */
import { callAgent } from '../../../src/agent/api/client.ts';
import type {
  FleetAnswerResponse,
  FleetOutboxResponse,
  FleetResponse,
} from '../../../src/agent/api/fleet-api.ts';
import { Courier } from '../../../src/fleet/io/courier/courier.ts';
import { readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { pathsOf } from '../../../src/host/paths.ts';

const [file = '', instance = ''] = process.argv.slice(2);
const credential = readCredential(file);
if (!credential.ok) throw new Error(credential.error.reason);
const paths = pathsOf(instance);
const say = (text: string) => process.stderr.write(`courier: ${text}\n`);
const courier = new Courier(
  credential.value,
  {
    outbox: (epoch, after) =>
      callAgent<FleetOutboxResponse>(paths, '/v1/fleet/outbox', { epoch, after }),
    answer: (question) => callAgent<FleetAnswerResponse>(paths, '/v1/fleet/answer', { question }),
    release: (body) =>
      callAgent<FleetResponse>(paths, '/v1/fleet/release', {}, { method: 'POST', body }),
    record: (body) =>
      callAgent<FleetResponse>(paths, '/v1/fleet/record', {}, { method: 'POST', body }),
  },
  { info: say, warn: say },
  {
    roundMilliseconds: 100,
    statusMilliseconds: 1_000,
    lookMilliseconds: 2_000,
    retryMilliseconds: 500,
    resendMilliseconds: 2_000,
    hintMilliseconds: 500,
    connectMilliseconds: 8_000,
    answerMilliseconds: 4_000,
  },
);
await courier.run(new AbortController().signal);
