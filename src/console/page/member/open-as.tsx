/** The way to what a tenant or a reseller sees. The agent makes the login, which changes nothing and is recorded. */
import { useState } from 'preact/hooks';
import type { ConsoleCodeResponse } from '../../../agent/api/console-api.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { Dialog } from '../parts/dialog.tsx';
import { FailureNote, Loading } from '../parts/notes.tsx';
import { ask } from '../state/answer.ts';
import type { Failure } from '../state/request.ts';
import { sessionInfo } from '../state/session.ts';
import { tenantWords } from './tenant-words.ts';

/** Nothing for sessions that only read, and for those that were opened for another account. */
export function OpenAs({ name }: { readonly name: string }) {
  const { openAs } = tenantWords.value;
  const [isOpen, setOpen] = useState(false);
  const [made, setMade] = useState<Result<ConsoleCodeResponse, Failure> | undefined>();
  const info = sessionInfo.value;
  if (info === undefined || info.readOnly || info.user !== info.by || info.user === name)
    return null;
  const begin = async () => {
    setMade(undefined);
    setOpen(true);
    setMade(await ask('v1/console/view', { method: 'POST', query: { as: name } }));
  };
  return (
    <>
      <button type="button" onClick={() => void begin()}>
        {openAs.open(name)}
      </button>
      {isOpen && (
        <Dialog title={openAs.open(name)} onClose={() => setOpen(false)}>
          <p>{openAs.hint(name)}</p>
          {made === undefined && <Loading />}
          {made?.ok === false && <FailureNote failure={made.error} again={() => void begin()} />}
          {made?.ok === true && (
            <p>
              {/* Without an opener, the new tab gets no copy of this session. */}
              <a
                href={`#code=${made.value.code}&to=/`}
                target="_blank"
                rel="noopener noreferrer"
                onClick={() => setOpen(false)}
              >
                {openAs.link(name)}
              </a>
            </p>
          )}
        </Dialog>
      )}
    </>
  );
}
