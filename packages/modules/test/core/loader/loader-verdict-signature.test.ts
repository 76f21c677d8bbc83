/** The loader's rules for permission and signatures, over plain modules. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loaderVerdict, newState } from '../../../core/loader/loader-verdict.ts';
import type { SignatureCheck } from '../../../core/record/module.ts';
import { kernelFixture, signatureFixture } from '../fixtures.ts';
import { check, lockLine, unsignedLine, type Row } from './loader-rows.ts';

describe('loaderVerdict() decides on permission and signature', () => {
  const rows: readonly Row[] = [
    { when: 'the module is honest and signed', messages: [] },
    {
      when: 'modules are disabled',
      kernel: { settings: { modulesDisabled: true } },
      errno: 'EPERM',
      messages: [],
    },
    { when: 'the module is not signed', signature: 'none', taints: 'E', messages: [unsignedLine] },
    {
      when: 'the key is unknown',
      signature: 'unknown key',
      taints: 'E',
      messages: [unsignedLine],
    },
    {
      when: 'the signature is not PKCS#7',
      signature: 'unsupported',
      module: { signature: { kind: 'unsupported', why: 'type 1' } },
      taints: 'E',
      messages: ['module: not signed with expected PKCS#7 message', unsignedLine],
    },
    {
      when: 'the signature is wrong',
      signature: 'bad',
      errno: 'EKEYREJECTED',
      messages: [],
    },
    {
      when: 'the signature is malformed',
      signature: 'malformed',
      module: { signature: { kind: 'malformed', why: 'length', offset: 1, message: 'module: M' } },
      errno: 'EBADMSG',
      messages: ['module: M'],
    },
    {
      when: 'attributes are signed',
      module: {
        signature: {
          kind: 'pkcs7',
          signers: [
            {
              issuer: 'CN=K',
              serial: '1',
              keyId: undefined,
              digest: 'sha256',
              algorithm: 'rsa',
              signature: new Uint8Array(1),
              signedAttributes: new Uint8Array(1),
            },
          ],
        },
      },
      errno: 'EKEYREJECTED',
      messages: ['PKCS7: Invalid module sig (has authattrs)'],
    },
    {
      when: 'signatures are enforced on the command line',
      signature: 'none',
      kernel: { settings: { enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of unsigned module is rejected'],
    },
    {
      when: 'signatures are enforced by the build and the key is unknown',
      signature: 'unknown key',
      kernel: { config: { signaturesForced: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of module with unavailable key is rejected'],
    },
    {
      when: 'signatures are enforced and the kind is not supported',
      signature: 'unsupported',
      kernel: { settings: { enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of module with unsupported crypto is rejected'],
    },
    {
      when: 'the kernel is locked down',
      signature: 'none',
      kernel: { settings: { lockdown: 'integrity' } },
      errno: 'EPERM',
      messages: [
        'Lockdown: insmod: unsigned module loading is restricted; see man kernel_lockdown.7',
      ],
    },
    {
      when: 'signatures are enforced and the kernel is locked down',
      signature: 'none',
      kernel: { settings: { lockdown: 'integrity', enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of unsigned module is rejected'],
    },
    {
      when: 'the signature is good, with enforcement and lockdown',
      kernel: { settings: { lockdown: 'confidentiality', enforceSignatures: true } },
      messages: [],
    },
    {
      when: 'the kernel checks no signatures',
      signature: 'bad',
      kernel: { config: { signatures: false }, settings: { lockdown: 'integrity' } },
      messages: [],
    },
    {
      when: 'a forced load counts as unsigned',
      signature: 'bad',
      options: { force: { vermagic: true } },
      taints: 'FE',
      messages: ['good: bad vermagic: kernel tainted.', lockLine, unsignedLine],
    },
    {
      when: 'signatures are enforced and the load is forced',
      options: { force: { modversions: true } },
      kernel: { settings: { enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of unsigned module is rejected'],
    },
  ];
  for (const row of rows) check(row);

  test('refuses an invalid signature before the file is checked', () => {
    const kernel = kernelFixture();
    const problem = { message: 'is not an ELF file', offset: 0 };
    const unreadable = (outcome: SignatureCheck['outcome']) =>
      loaderVerdict(
        { file: 'x.ko', problem, signature: signatureFixture(outcome) },
        kernel,
        newState(),
      );
    assert.equal(unreadable('bad').errno, 'EKEYREJECTED');
    assert.equal(unreadable('none').errno, 'ENOEXEC');
    assert.equal(loaderVerdict({ file: 'x.ko', problem }, kernel, newState()).errno, 'ENOEXEC');
    const locked = kernelFixture({ settings: { lockdown: 'integrity' } });
    assert.equal(loaderVerdict({ file: 'x.ko', problem }, locked, newState()).errno, 'EPERM');
  });
});
