/** A number with its name. Each line has its place, so that nothing moves when a number changes. */
import type { ComponentChildren } from 'preact';

interface TileProps {
  readonly title: string;
  readonly value: ComponentChildren;
  /** The lines below: the limit, and a remark. Both keep their places when they are empty. */
  readonly limit?: ComponentChildren;
  readonly note?: ComponentChildren;
  readonly children?: ComponentChildren;
  readonly href?: string;
}

export const Tile = ({ title, value, limit, note, children, href }: TileProps) => (
  <section class="tile">
    <h2>{href === undefined ? title : <a href={href}>{title}</a>}</h2>
    <p class="tile-value">{value}</p>
    <p class="tile-note quiet">{limit}</p>
    <p class="tile-note quiet">{note}</p>
    {children}
  </section>
);

export const Tiles = ({ children }: { readonly children: ComponentChildren }) => (
  <div class="tiles">{children}</div>
);
