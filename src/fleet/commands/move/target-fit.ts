/** The room of the host to which a tenant moves, as `bulkhead fleet room --json` has printed it at the centre. */
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { isObject, parseObject } from '../../../../packages/base/json.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';

export interface TargetFit {
  /** Null: unknown. */
  readonly fits: boolean | null;
  readonly why: string | null;
}

const bytesMax = 32 * 2 ** 20;

/** Reads the room of a host; unknown without a file, and if the file does not have the host. */
export function targetFit(file: string | undefined, host: string): Result<TargetFit, Problem> {
  if (file === undefined) return ok({ fits: null, why: 'nobody has asked the centre' });
  const read = readBounded(file, bytesMax);
  if (!read.ok) return read;
  const hosts = parseObject(decodeText(read.value))?.['hosts'];
  if (!Array.isArray(hosts))
    return failed({
      action: 'read the room of hosts in',
      object: file,
      reason: 'it is not what "bulkhead fleet room --json" prints',
    });
  const row: unknown = hosts.find((each: unknown) => isObject(each) && each['host'] === host);
  if (!isObject(row) || typeof row['fits'] !== 'boolean')
    return ok({ fits: null, why: `the centre knows nothing of ${host}` });
  if (row['fits']) return ok({ fits: true, why: null });
  const { why } = row;
  return ok({ fits: false, why: typeof why === 'string' ? why : 'it does not fit' });
}
