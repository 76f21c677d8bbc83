/**
 * The bill of materials of a package: CycloneDX 1.6, from package-lock.json, and for the inside of Node.js from what it
 * reports itself. Two builds of the same state write the same.
 */
import { createHash } from 'node:crypto';
import { versions } from 'node:process';
import type { Component } from './licenses.ts';

export function sbomOf(components: readonly Component[], version: string, epoch: number): string {
  const parts = components.map(componentEntry);
  const identity = createHash('sha256')
    .update(JSON.stringify([version, parts]))
    .digest('hex');
  const own = {
    type: 'application',
    'bom-ref': 'bulkhead',
    name: 'bulkhead',
    version,
    licenses: [{ license: { id: 'Apache-2.0' } }],
  };
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(identity)}`,
    version: 1,
    metadata: { timestamp: dateOf(epoch), component: own },
    components: parts,
    dependencies: [
      { ref: 'bulkhead', dependsOn: parts.map((each) => each['bom-ref']) },
      ...parts.map((each) => ({ ref: each['bom-ref'] })),
    ],
  };
  return `${JSON.stringify(bom, undefined, 2)}\n`;
}

const dateOf = (epoch: number) => new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');

function componentEntry({ name, version, license, integrity }: Component) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const isNode = name.startsWith('node-linux-');
  return {
    type: isNode ? 'platform' : 'library',
    'bom-ref': purl,
    name,
    version,
    licenses: [{ license: { id: license } }],
    purl,
    hashes: [{ alg: 'SHA-512', content: hexOf(integrity) }],
    ...(isNode ? { components: insideNode(version) } : {}),
  };
}

const hexOf = (integrity: string) =>
  Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');

/** Numbers of interfaces, and of Node.js itself, among `process.versions`. */
const notParts: ReadonlySet<string> = new Set(['node', 'modules', 'napi']);

/** Returns the libraries that are linked into Node.js. The build runs with the same version that it ships. */
function insideNode(version: string) {
  if (versions.node !== version)
    throw new Error(`This is Node.js ${versions.node}, and the package has ${version}: run npm ci`);
  return Object.entries(versions).flatMap(([name, found]) =>
    found === undefined || notParts.has(name)
      ? []
      : [{ type: 'library', 'bom-ref': `node/${name}`, name, version: found }],
  );
}

/** Makes a UUID of version 8, whose bits are the writer's own, out of a digest. */
function uuidOf(hex: string): string {
  const [a, b, c, d, e] = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(13, 16),
    hex.slice(17, 20),
    hex.slice(20, 32),
  ];
  return `${a}-${b}-8${c}-8${d}-${e}`;
}
