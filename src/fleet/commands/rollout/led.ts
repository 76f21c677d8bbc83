/** The centre on this machine, as commands about a rollout need it: it may lead the rollout by itself. */
import { Option } from 'commander';
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { blobOf } from '../../core/parse.ts';

export const centreOption = (): Option =>
  new Option(
    '--centre <directory>',
    'the directory of the centre, which may lead the rollout by itself',
  ).default('/var/lib/bulkhead-fleet-server');

const keyBytesMax = 4096;

/** Returns the name under which the trust lists the centre's key; undefined if it does not, or if there is no centre. */
export function leaderIn(directory: string, trust: TrustDocument): string | undefined {
  const read = readBounded(join(directory, 'controller.pub'), keyBytesMax, { links: 'refuse' });
  const [, blob] = read.ok ? decodeText(read.value).split(' ') : [];
  return trust.controllers.find((each) => blobOf(each) === blob)?.name;
}
