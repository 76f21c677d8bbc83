/** A centre of its own process, with short times: `centre-child.ts CREDENTIAL DIRECTORY RELEASE [TIMES]`. */
import { mkdirSync } from 'node:fs';
import { readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { leaderTimes, type LeaderTimes } from '../../../src/fleet/io/rollout/leader.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { Centre } from '../../../src/fleet/io/server/centre.ts';
import { makeLeader } from '../../../src/fleet/io/server/make-leader.ts';

const [file = '', directory = '', release = '', times = '{}'] = process.argv.slice(2);
const credential = readCredential(file);
if (!credential.ok) throw new Error(credential.error.reason);
const say = (text: string) => process.stderr.write(`centre: ${text}\n`);
const log = { info: say, warn: say };
mkdirSync(directory, { recursive: true });
const store = new CentreStore(directory);
const leader = makeLeader({
  release,
  directory,
  store,
  log,
  times: { ...leaderTimes, ...(JSON.parse(times) as Partial<LeaderTimes>) },
});
if (!leader.ok) throw new Error(leader.error.reason);
const centre = new Centre({
  credential: credential.value,
  store,
  hosts: `${release}/hosts`,
  leader: leader.value,
  log,
  times: {
    lookMilliseconds: 200,
    compareMilliseconds: 2_000,
    retryMilliseconds: 200,
    answerMilliseconds: 4_000,
    redeliverMilliseconds: 4_000,
  },
});
await centre.run(new AbortController().signal);
