/** Signs of the navigation, drawn with the color of the text. */

const shapes = {
  overview: 'M3 11 12 4l9 7M5 10v10h14V10M10 20v-6h4v6',
  tenants: 'M4 6h16M4 12h16M4 18h16',
  incidents: 'M12 4 2.5 20h19zM12 10v5M12 17.2v.6',
  policy: 'M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7',
  protection: 'M12 3 4 6v6c0 5 3.5 8 8 9 4.5-1 8-4 8-9V6z',
  modules: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  fleet: 'M4 4h16v6H4zM4 14h16v6H4zM7 7h.01M7 17h.01',
  system: 'M5 12h.01M12 12h.01M19 12h.01',
} as const;

export type IconName = keyof typeof shapes;

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={shapes[name]} />
  </svg>
);
