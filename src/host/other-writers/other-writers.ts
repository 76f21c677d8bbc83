/** Finds other programs that set limits or quotas of users, by their files. */
import type { OtherWriter } from '../../../packages/base/other-writer.ts';
import { knownWriters } from './known-writers.ts';
import { findSliceDropIns } from './slice-drop-ins.ts';

/** `root` is the directory that holds the host's file system, empty but for a fixture. */
export const findOtherWriters = (root = ''): readonly OtherWriter[] => [
  ...knownWriters(root),
  ...findSliceDropIns(root),
];
