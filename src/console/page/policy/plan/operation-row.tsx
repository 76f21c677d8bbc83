/** A change that the kernel gets: a setting with its values, or a sentence. */
import type { PolicyAction, PolicyOperation } from '../../../../agent/api/policy-api.ts';
import { English } from '../../parts/english.tsx';
import { policyWords } from '../words.ts';

export function OperationRow({ operation }: { readonly operation: PolicyOperation }) {
  const text = policyWords.value;
  const { who, isOfHost, setting, from, to, action } = operation;
  const quota = action?.quota;
  return (
    <tr>
      <th scope="row">{isOfHost === true ? text.host : <English>{who}</English>}</th>
      {from === undefined && to === undefined ? (
        <td colSpan={3}>
          {action === undefined ? <English>{operation.text}</English> : sentenceOf(action)}
        </td>
      ) : quota === undefined ? (
        <>
          <td>
            <code>{setting}</code>
          </td>
          <td>{from ?? '–'}</td>
          <td>{to ?? '–'}</td>
        </>
      ) : (
        <>
          <td>{text.quota(action?.values[0])}</td>
          <td>{text.quotaValue(quota.from.space, quota.from.files)}</td>
          <td>{text.quotaValue(quota.to.space, quota.to.files)}</td>
        </>
      )}
    </tr>
  );
}

function sentenceOf({ code, values }: PolicyAction): string {
  if (code === 'quota') return '';
  const text: (...all: string[]) => string = policyWords.value.actions[code];
  return text(...values);
}
