/** The policy file: UTF-8 in XML or in a format of a capability. Source of the care: sys/files/text-file.ts. */
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';
import { bytesMax, decodeXml } from '../policy/xml.ts';
import { readTextFile, type TextFormat } from '../sys/files/text-file.ts';

export const policyFormat: TextFormat = {
  bytesMax,
  decode: decodeXml,
  hintIfMissing: '"bulkhead init" writes a first one',
};

/** The policy, if only those whom we trust could have written it. */
export const readPolicyFile = (path: string): Result<string, Problem> =>
  readTextFile(path, policyFormat, 'trusted');

/** Any file of text, whoever owns it: for what is only converted. */
export const readForeignFile = (path: string): Result<string, Problem> =>
  readTextFile(path, { bytesMax, decode: decodeXml }, 'anybody');
