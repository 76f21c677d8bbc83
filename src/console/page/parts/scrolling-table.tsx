/** A table that may be wider than its place: it scrolls there, by keyboard too, and the page does not. */
import type { ComponentChildren } from 'preact';

interface ScrollingTableProps {
  /** The name for those who do not see it. */
  readonly label: string;
  readonly caption?: string;
  readonly headings: readonly string[];
  /** The rows. */
  readonly children: ComponentChildren;
  readonly below?: ComponentChildren;
}

export const ScrollingTable = (props: ScrollingTableProps) => {
  const { label, caption, headings, children, below } = props;
  return (
    <div class="scrolls" tabIndex={0} role="group" aria-label={label}>
      <table>
        {caption !== undefined && <caption>{caption}</caption>}
        <thead>
          <tr>
            {headings.map((each) => (
              <th key={each} scope="col">
                {each}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
      {below}
    </div>
  );
};
