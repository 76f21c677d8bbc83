/** Names and values, one line each. */
import type { ComponentChildren } from 'preact';

export interface Fact {
  readonly name: string;
  /** A fact without a value is not shown. */
  readonly value: ComponentChildren;
}

export const Facts = ({ facts }: { readonly facts: readonly Fact[] }) => (
  <dl class="facts">
    {facts
      .filter(({ value }) => value !== undefined)
      .map(({ name, value }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
  </dl>
);
