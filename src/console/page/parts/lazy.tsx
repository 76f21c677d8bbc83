/** A part of the page that is loaded when somebody first needs it. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { loadMissingWords } from '../state/language.ts';
import { failureOf } from '../state/request.ts';
import { FailureNote, Loading } from './notes.tsx';

/** Returns a component that loads another one. A failed attempt can be repeated: the line may have been lost. */
export function lazy<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  let known: ComponentType<Props> | undefined;
  return function Lazy(props: Props) {
    const [hasFailed, setFailed] = useState(false);
    const [, setLoaded] = useState(known !== undefined);
    const start = async () => {
      setFailed(false);
      try {
        const loaded = await load();
        await loadMissingWords();
        known = loaded;
        setLoaded(true);
      } catch {
        setFailed(true);
      }
    };
    useEffect(() => {
      if (known === undefined) void start();
    }, []);
    if (known !== undefined) {
      const Known = known;
      return <Known {...props} />;
    }
    return hasFailed ? (
      <FailureNote failure={failureOf(0)} again={() => void start()} />
    ) : (
      <Loading />
    );
  };
}
