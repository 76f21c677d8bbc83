/**
 * The list of the console's files, `manifest.json`, which the build writes. Nothing else is served.
 *
 *     {"files":[{"path":"/","file":"index.html"},{"path":"/app-4f1c.js","file":"app-4f1c.js","immutable":true,"br":true}]}
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface ManifestFile {
  /** The path of the URL. */
  readonly path: string;
  /** The name in the directory of the manifest. */
  readonly file: string;
  readonly type: string;
  readonly isImmutable: boolean;
  /** Whether there is a file of the same name and `.br`, compressed by brotli. */
  readonly hasBrotli: boolean;
}

const filesMax = 64;
const pathPattern = /^\/[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*$/;
const namePattern = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/;

const types: ReadonlyMap<string, string> = new Map(
  Object.entries({
    html: 'text/html; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
    css: 'text/css; charset=utf-8',
    json: 'application/json',
    svg: 'image/svg+xml',
    png: 'image/png',
  }),
);

export function parseManifest(text: string): Result<readonly ManifestFile[], Cause> {
  const files = filesIn(text);
  if (files === undefined) return fail({ reason: 'it is not a list of files' });
  const parsed = files.map(fileOf);
  const bad = parsed.findIndex((each) => each === undefined);
  if (bad >= 0) return fail({ reason: `file ${bad + 1} of the list is not valid` });
  const known = parsed.filter((each) => each !== undefined);
  const isUnique = new Set(known.map(({ path }) => path)).size === known.length;
  return isUnique ? ok(known) : fail({ reason: 'it has a path twice' });
}

function filesIn(text: string): readonly unknown[] | undefined {
  try {
    const { files } = (JSON.parse(text) ?? {}) as { readonly files?: unknown };
    return Array.isArray(files) && files.length <= filesMax ? files : undefined;
  } catch {
    return undefined;
  }
}

function fileOf(value: unknown): ManifestFile | undefined {
  const { path, file, immutable = false, br = false } = (value ?? {}) as Record<string, unknown>;
  if (typeof path !== 'string' || !pathPattern.test(path)) return undefined;
  if (typeof file !== 'string' || !namePattern.test(file)) return undefined;
  if (typeof immutable !== 'boolean' || typeof br !== 'boolean') return undefined;
  const type = types.get(file.slice(file.lastIndexOf('.') + 1));
  if (type === undefined) return undefined;
  return { path, file, type, isImmutable: immutable, hasBrotli: br };
}
