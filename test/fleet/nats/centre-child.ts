/** A centre of its own process, with short times: `centre-child.ts CREDENTIAL DIRECTORY HOSTS`. */
import { readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { Centre } from '../../../src/fleet/io/server/centre.ts';

const [file = '', directory = '', hosts = ''] = process.argv.slice(2);
const credential = readCredential(file);
if (!credential.ok) throw new Error(credential.error.reason);
const say = (text: string) => process.stderr.write(`centre: ${text}\n`);
const centre = new Centre({
  credential: credential.value,
  store: new CentreStore(directory),
  hosts,
  log: { info: say, warn: say },
  times: { lookMilliseconds: 200, compareMilliseconds: 2_000, retryMilliseconds: 200 },
});
await centre.run(new AbortController().signal);
