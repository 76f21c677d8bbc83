/** The text of a policy that names tenants and limits nothing; steps of the setup add the rest. */
import { escapeAttribute } from '../../policy/xml-edit.ts';
import type { Answers } from './answers.ts';

export function policyText({ tenants, except }: Pick<Answers, 'tenants' | 'except'>): string {
  const others = except.length === 0 ? '' : ` except="${escapeAttribute(except.join(' '))}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!--
  The tenants of this host, and what each of them may use. "bulkhead setup" wrote this file; change
  it as you like: "bulkhead check" checks it, "bulkhead plan" shows what would change, and
  "bulkhead apply" applies it.
-->
<bulkhead version="1">

  <!-- Every account in this range of uids is a tenant, future ones included. -->
  <tenants uids="${escapeAttribute(tenants)}"${others}/>
</bulkhead>
`;
}
