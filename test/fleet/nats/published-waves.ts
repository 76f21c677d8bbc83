/** A directory with a release in waves, as `fleet publish` writes it. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { namespaces, type TrustDocument } from '../../../src/fleet/core/documents.ts';
import { trustFileText } from '../../../src/fleet/core/fleet-files.ts';
import { parseHead } from '../../../src/fleet/core/parse.ts';
import { eachBundle, makeRelease } from '../../../src/fleet/io/release/make-release.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { headFields, policyOf, signed, signedTrust, type Person } from '../people.ts';

interface PublishedWaves {
  readonly trust: TrustDocument;
  readonly signer: Person;
  readonly generation: number;
  /** The names of the hosts of each wave. */
  readonly waves: readonly (readonly string[])[];
  readonly watchSeconds?: number;
}

const day = 86_400_000;

/** Returns the root of the release. */
export function publishWaves(
  directory: string,
  { trust, signer, generation, waves, watchSeconds = 60 }: PublishedWaves,
): string {
  const [issued = '', expires = ''] = [Date.now(), Date.now() + 20 * day].map((each) =>
    new Date(each).toISOString(),
  );
  const hosts = waves.flatMap((names, index) => names.map((name) => ({ name, wave: index + 1 })));
  const release = makeRelease(
    headFields({ generation, watchSeconds, issued, expires }),
    hosts.map((each) => ({ policy: policyOf(each.name), hosts: [each] })),
  );
  const head = signed(release.head.document, [signer], namespaces.release);
  const chain = [signedTrust(trust, signer)];
  mkdirSync(join(directory, 'hosts'), { recursive: true });
  writeFileSync(join(directory, 'trust.json'), trustFileText(chain));
  eachBundle({ ...release, head }, chain, (host, bundle) =>
    replaceFile(join(directory, 'hosts', `${host}.json`), bundle),
  );
  const made = parseHead(release.head.document);
  return made.ok ? made.value.root : assert.fail(JSON.stringify(made));
}
