/** Members as requests name them. */
import type { Who } from '../../../agent/api/api.ts';

/** Returns the name that means this member and no other: a tenant and a reseller may have the same account. */
export const argumentOf = ({ kind, member, name }: Who): string =>
  kind === 'site' ? name : member;

/** Returns the path of a question about one member. */
export const memberPath = (who: Who, question: string): string =>
  `v1/tenants/${encodeURIComponent(argumentOf(who))}/${question}`;
