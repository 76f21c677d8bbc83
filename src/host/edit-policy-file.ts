/**
 * Edits of the policy file. They are apart from reading it, since a lock needs system calls by FFI, which take long to
 * load.
 */
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { editTextFile, type EditedText } from '../sys/files/edited-file.ts';
import { policyFormat } from './policy-file.ts';

/** Reads, edits and saves under one lock. An edit that changes nothing writes nothing. */
export const editPolicyFile = <E>(
  path: string,
  edit: (text: string) => Result<string, E>,
): Result<EditedText, E | Problem> => editTextFile(path, policyFormat, edit);
