/** The demo's name, and the paths of its parts. */
import { join, resolve } from 'node:path';
import { pathsOf } from '../../src/host/paths.ts';
import { entryFile } from '../../src/sys/package-files.ts';

const project = resolve(import.meta.dirname, '../..');

/**
 * The paths of a separate instance, apart from the Bulkhead that may limit real tenants on this
 * host.
 */
export const paths = pathsOf('bulkhead-demo');
export const policyFile = join(project, 'examples/demo.xml');
/** The name of the policy in messages. */
export const policyName = 'examples/demo.xml';
export const launcher = entryFile('bulkhead-exec');
export const lockPath = `${paths.runtime}.lock`;
