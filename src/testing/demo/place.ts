/** What the demo is called, and where its parts are. */
import { join, resolve } from 'node:path';
import { pathsOf } from '../../host/paths.ts';

const project = resolve(import.meta.dirname, '../../..');

/** An instance of its own, apart from the Bulkhead that may hold real tenants on this host. */
export const paths = pathsOf('bulkhead-demo');
export const policyFile = join(project, 'examples/demo.xml');
/** How messages call it. */
export const policyName = 'examples/demo.xml';
export const launcher = join(project, 'libexec/bulkhead-exec');
export const lockPath = `${paths.runtime}.lock`;
