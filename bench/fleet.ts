/**
 * A release of 10,000 hosts as `fleet sign` and `fleet publish` make it, besides the files, and the check of a bundle
 * at a host, compared with `ssh-keygen -Y sign` and `-Y verify` alone.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  namespaces,
  type Envelope,
  type ReleaseHead,
  type TrustDocument,
} from '../src/fleet/core/documents.ts';
import { documentText } from '../src/fleet/core/parse.ts';
import { eachBundle, makeRelease } from '../src/fleet/io/release/make-release.ts';
import { verifyBundle } from '../src/fleet/io/verify/verify-bundle.ts';
import type { Bench } from './bench.ts';
import { compare, inTurn, milliseconds, type Row, type Section } from './samples.ts';

const start = Date.UTC(2027, 0, 1);
const expires = new Date(start + 365 * 86_400_000).toISOString();
const tenants = 300;
/** Checks in one sample, which alone would be too short. */
const checks = 100;

export async function benchFleet({ directory, quick, signal }: Bench): Promise<Section> {
  const place = join(directory, 'fleet');
  mkdirSync(place);
  const signer = makeSigner(place);
  const hosts = quick ? 1000 : 10_000;
  const rounds = quick ? 2 : 10;
  const rows: Row[] = [];
  for (const policies of [20, hosts]) {
    const release = () => milliseconds(() => makeBundles(signer, hosts, policies));
    const floor = () => milliseconds(() => signer.sign('x'));
    const [ours = [], its = []] = await inTurn(rounds, [release, floor], signal);
    rows.push({
      ...compare(`a release of ${hosts} hosts with ${policies} policies`, ours, its),
      note: policies === hosts ? 'each host has its own' : '1 s is the goal',
    });
  }
  const { bundle, trust } = makeBundles(signer, hosts, 20);
  const known = { fleet: 'bench', host: 'web-17', trust, newest: undefined };
  const check = () =>
    milliseconds(() => {
      for (let each = 0; each < checks; each++)
        if (!verifyBundle(bundle, known, start).ok) throw new Error('it is not accepted');
    }) / checks;
  const [ours = [], its = []] = await inTurn(
    rounds,
    [check, () => milliseconds(signer.verify)],
    signal,
  );
  rows.push({ ...compare('a check at a host', ours, its), note: '1 ms is the goal' });
  return {
    name: 'fleet',
    title: `A release of a fleet, with ${tenants} tenants in each policy, and its check`,
    beside: 'ssh-keygen alone',
    rows,
    notes: [
      'the release has hashes, the tree, one signature, compressed policies and all proofs',
      `a host's file has ${(bundle.length / 1024).toFixed(1)} KiB`,
    ],
  };
}

interface Signer {
  readonly key: string;
  readonly sign: (text: string) => string;
  readonly verify: () => void;
}

function makeSigner(place: string): Signer {
  const file = join(place, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
  const key = readFileSync(`${file}.pub`, 'utf8').trim();
  const about = ['-n', namespaces.release];
  const sign = (input: string) =>
    execFileSync('ssh-keygen', ['-Y', 'sign', '-q', '-f', file, ...about], {
      input,
      encoding: 'utf8',
    });
  const [allowed, signature] = ['allowed', 'signature'].map((name) => join(place, name)) as [
    string,
    string,
  ];
  writeFileSync(allowed, `alice ${key}\n`);
  writeFileSync(signature, sign('x'));
  const args = ['-Y', 'verify', '-f', allowed, '-I', 'alice', '-s', signature, ...about];
  return { key, sign, verify: () => void execFileSync('ssh-keygen', args, { input: 'x' }) };
}

interface Made {
  readonly bundle: string;
  readonly trust: TrustDocument;
}

function makeBundles({ key, sign }: Signer, hosts: number, policies: number): Made {
  const trust: TrustDocument = {
    format: 1,
    fleet: 'bench',
    version: 1,
    threshold: 1,
    people: [{ name: 'alice', key }],
    controllers: [],
    expires,
  };
  const fields: Omit<ReleaseHead, 'format' | 'root' | 'hosts'> = {
    fleet: 'bench',
    generation: 1,
    trust: 1,
    watchSeconds: 1800,
    failed: 0.02,
    silent: 0.1,
    large: false,
    issued: new Date(start).toISOString(),
    expires,
  };
  const release = makeRelease(
    fields,
    Array.from({ length: policies }, (_, index) => ({
      policy: policyOf(index),
      hosts: Array.from({ length: hosts / policies }, (_, each) => ({
        name: `web-${index * (hosts / policies) + each}`,
        wave: 1,
      })),
    })),
  );
  const { document } = release.head;
  const head: Envelope = { document, signatures: [sign(document)] };
  const chain = [{ document: documentText(trust), signatures: [] }];
  let bundle = '';
  eachBundle({ ...release, head }, chain, (host, text) => {
    if (host === 'web-17') bundle = text;
  });
  return { bundle, trust };
}

const rest = Array.from(
  { length: tenants },
  (_, each) => `<tenant user="customer${each}" package="business"><cpu limit="50%"/></tenant>\n`,
).join('');
const policyOf = (index: number) => `<bulkhead version="1"><!-- ${index} -->\n${rest}</bulkhead>\n`;
