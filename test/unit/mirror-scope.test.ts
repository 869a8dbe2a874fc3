/** What a mirror keeps: every flow that may come to match, and no other that never can. */
import { nodeText } from '../../lib/filter';
import { parseFilter } from '../../lib/filter-parse';
import type { Filter } from '../../lib';
import { scopeOf } from '../../lib/mirror-scope';

const scope = (filter: Filter): string => nodeText(scopeOf(parseFilter(filter)));
const text = (filter: Filter): string => nodeText(parseFilter(filter));

test.each<[Filter, Filter | 'everything' | 'nothing']>([
  [{}, 'everything'],
  [{ mark: 1 }, 'everything'],
  [{ not: { mark: 1 } }, 'everything'],
  [{ state: 'established' }, 'everything'],
  [{ status: { all: ['assured'] } }, 'everything'],
  [{ helper: 'ftp', labels: 3, timeout: [1, 5], bytes: [1, 2] }, 'everything'],
  [{ protocol: 'udp', mark: 1 }, { protocol: 'udp' }],
  [
    { orig: { src: '10.0.0.0/8', dport: 80 }, zone: 7, nat: 'src' },
    { orig: { src: '10.0.0.0/8', dport: 80 }, zone: 7 },
  ],
  [{ not: { protocol: 'udp', mark: 1 } }, 'everything'],
  [{ not: { or: [{ protocol: 'udp' }, { mark: 1 }] } }, { not: { protocol: 'udp' } }],
  [{ or: [{ protocol: 'udp' }, { mark: 1 }] }, 'everything'],
  [
    {
      or: [
        { protocol: 'udp', mark: 1 },
        { port: 53, mark: 2 },
      ],
    },
    { or: [{ protocol: 'udp' }, { port: 53 }] },
  ],
  [{ id: 5 }, { id: 5 }],
])('%j', (filter, kept) => {
  expect(scope(filter)).toBe(typeof kept === 'string' ? kept : text(kept));
});
