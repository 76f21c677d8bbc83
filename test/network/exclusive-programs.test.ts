/** Programs of others at a cgroup: attached by this test, as others attach theirs. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import koffi from 'koffi';
import { findUnified } from '../../src/host/cgroups/hierarchies.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { exclusivePrograms } from '../../src/network/io/programs/exclusive-programs.ts';

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_SKB = 8;
const BPF_CGROUP_INET_EGRESS = 1;
const allow = { alone: 0, override: 1, multi: 2 };

const libc = koffi.load('libc.so.6');
const call = libc.func(
  'long syscall(long number, int command, void *attributes, unsigned int size)',
);
const bpf = (command: number, attributes: Buffer): number =>
  Number(call(process.arch === 'x64' ? 321 : 280, command, attributes, attributes.length));

const code = Buffer.from('b700000001000000' + '9500000000000000', 'hex');
const license = Buffer.from('GPL\0');

/** Loads a program that lets everything pass. */
function load(): number {
  const attributes = Buffer.alloc(128);
  attributes.writeUInt32LE(BPF_PROG_TYPE_CGROUP_SKB, 0);
  attributes.writeUInt32LE(code.length / 8, 4);
  attributes.writeBigUInt64LE(koffi.address(code), 8);
  attributes.writeBigUInt64LE(koffi.address(license), 16);
  return bpf(BPF_PROG_LOAD, attributes);
}

function attach(cgroup: number, program: number, flags: number): number {
  const attributes = Buffer.alloc(128);
  for (const [at, value] of [cgroup, program, BPF_CGROUP_INET_EGRESS, flags].entries())
    attributes.writeUInt32LE(value, at * 4);
  return bpf(BPF_PROG_ATTACH, attributes);
}

const tree = findUnified(pathsOf())?.mountPoint;
const skip =
  process.getuid?.() !== 0
    ? 'only root attaches programs'
    : tree === undefined
      ? 'there is no tree of version 2'
      : false;

suite("others' programs at a cgroup", { skip }, () => {
  for (const [name, flags] of Object.entries(allow))
    test(`one that is attached with "${name}"`, () => {
      const directory = `${tree}/bulkhead-test-${process.pid}-${name}`;
      mkdirSync(directory);
      const cgroup = openSync(directory, 'r');
      const program = load();
      try {
        assert.ok(program >= 0, 'the kernel takes the program');
        assert.deepEqual(exclusivePrograms(cgroup), []);
        assert.equal(attach(cgroup, program, flags), 0);
        const found = exclusivePrograms(cgroup);
        assert.deepEqual(
          found.map(({ type }) => type),
          flags === allow.multi ? [] : ['cgroup_inet_egress'],
        );
        assert.ok(found.every(({ id }) => id > 0));
        // What the remark is about: the kernel refuses another one.
        if (flags === allow.alone) assert.equal(attach(cgroup, program, allow.multi), -1);
      } finally {
        closeSync(cgroup);
        if (program >= 0) closeSync(program);
        rmdirSync(directory);
      }
    });
});
