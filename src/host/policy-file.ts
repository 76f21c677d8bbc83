/** The policy file: UTF-8, in XML or a capability's format. sys/files/text-file.ts explains the checks. */
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { bytesMax, decodeXml } from '../policy/xml.ts';
import { readTextFile, type TextFormat } from '../sys/files/text-file.ts';

export const policyFormat: TextFormat = {
  bytesMax,
  decode: decodeXml,
  hintIfMissing: '"bulkhead init" writes a first one',
};

/** Reads the policy, if only trusted accounts could have written it. */
export const readPolicyFile = (path: string): Result<string, Problem> =>
  readTextFile(path, policyFormat, 'trusted');

/** Reads any text file, whoever owns it: for files that are only converted. */
export const readForeignFile = (path: string): Result<string, Problem> =>
  readTextFile(path, { bytesMax, decode: decodeXml }, 'anybody');
