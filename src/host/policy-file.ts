/** The policy file: UTF-8 in XML or in a format of a capability. Source of the care: sys/files/edited-file.ts. */
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';
import { bytesMax, decodeXml } from '../policy/xml.ts';
import {
  editTextFile,
  readTextFile,
  type Edited,
  type TextFormat,
} from '../sys/files/edited-file.ts';

const policyFormat: TextFormat = {
  bytesMax,
  decode: decodeXml,
  hintIfMissing: 'bulkhead init writes a first one',
};

/** The policy, if only those whom we trust could have written it. */
export const readPolicyFile = (path: string): Result<string, Problem> =>
  readTextFile(path, policyFormat, 'trusted');

/** Any file of text, whoever owns it: for what is only converted. */
export const readForeignFile = (path: string): Result<string, Problem> =>
  readTextFile(path, { bytesMax, decode: decodeXml }, 'anybody');

/** Reads, edits and saves under one lock. An edit that changes nothing writes nothing. */
export const editPolicyFile = <E>(
  path: string,
  edit: (text: string) => Result<string, E>,
): Result<Edited, E | Problem> => editTextFile(path, policyFormat, edit);
