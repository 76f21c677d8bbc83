/** A changed value: `tenant "alice": cpu.limit 100% → 150%`. Elements and settings have the names of the policy file. */
import type { ValueChange } from '../../../policy/changes/describe.ts';
import { changeWords } from '../state/change-words.ts';
import { English } from './english.tsx';

export function ChangedValue({ change }: { readonly change: ValueChange }) {
  const { kind, element, setting = '', from, to } = change;
  if (kind === 'set')
    return (
      <English>
        {element}: {setting} {from ?? '–'} → {to ?? '–'}
      </English>
    );
  return (
    <>
      <English>
        {element}: {setting} {to ?? from}
      </English>{' '}
      {changeWords.value.kinds[kind]}
    </>
  );
}
