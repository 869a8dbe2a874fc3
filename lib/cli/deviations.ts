/**
 * Where the command line differs from conntrack 1.4.9 on purpose: mostly where that deletes, changes or flushes
 * more than was asked. The README lists them, and the tests accept no other difference.
 */
export interface Deviation {
  readonly id: string;
  /** A command that shows it. */
  readonly example: string;
  readonly original: string;
  readonly ours: string;
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    id: 'negated-status',
    example: '-D -u UNREPLIED, -D -u !ASSURED, -L -u ASSURED,!SEEN_REPLY',
    original: '-D deletes every flow; -L finds none where both kinds are named',
    ours: 'all flags that are named must be set, all that are negated must not',
  },
  {
    id: 'no-status',
    example: '-D -u UNSET, -D -u SRC_NAT',
    original: 'deletes whatever the other options match',
    ours: 'refused, as -L refuses it',
  },
  {
    id: 'flush-family',
    example: '-F -f ipv6',
    original: 'flushes both families',
    ours: 'flushes that family',
  },
  {
    id: 'gre-keys',
    example: '-D -p gre --srckey 5',
    original: 'compares no key: matches every GRE flow',
    ours: 'compares them',
  },
  {
    id: 'nat-address',
    example: '-D --dst-nat 2001:db8::9, -L -n with ICMP',
    original:
      'compares no IPv6 address; takes the type of an ICMP message for a port that NAT has changed',
    ours: 'what NAT has changed, and to the address that is named',
  },
  {
    id: 'glued-word',
    example: '--dst-nat=10.0.0.1, -g10.0.0.1, --label-del=x, --delete=expect',
    original: 'drops the word: any DNAT, all labels, the table of flows',
    ours: 'takes the word',
  },
  {
    id: 'label-list',
    example: '-D -l a,b',
    original: '1.4.9 looks at the first label only',
    ours: 'all of them',
  },
  {
    id: 'label-delete',
    example: '-U --label-del x, x being bit 127',
    original: 'deletes every label (seen in 1.4.7)',
    ours: 'deletes that label',
  },
  {
    id: 'sloppy-number',
    example: '-D -p tcp --dport http, -U -p tcp --sport 65546 -t x',
    original: 'takes words for 0 and cuts off what is too large',
    ours: '-D and -U refuse them; everything else takes them as the original does',
  },
  {
    id: 'empty-prefix',
    example: '-D -s 10.0.0.1/',
    original: 'every address',
    ours: '-D and -U refuse it',
  },
  {
    id: 'odd-mask',
    example: '-L -s 10.0.0.1 --mask-src 0.0.0.255',
    original: 'compares the bits of the mask',
    ours: 'the same up to ten free bits between fixed ones; refused beyond',
  },
  {
    id: 'mark-mask',
    example: '-D -m 1/4294967296',
    original: 'cuts the mask off',
    ours: 'refused',
  },
  {
    id: 'zero-nat',
    example: '-L -z -n',
    original: 'zeroes the counters of every flow, shows those with NAT',
    ours: 'refused',
  },
  {
    id: 'dying-filter',
    example: '-L dying -s 10.0.0.0/8',
    original: 'networks and masks match nothing',
    ours: 'filters as everywhere',
  },
  {
    id: 'update-zone',
    example: '-U -m 1, of flows in a zone',
    original: 'does not find them',
    ours: 'updates them',
  },
  {
    id: 'update-window',
    example: '-U -p tcp -m 1',
    original: 'also makes the flows liberal about TCP windows',
    ours: 'changes what is asked',
  },
  {
    id: 'replaced-flow',
    example: '-D, while flows come and go',
    original: 'may delete a new flow that has taken the place of the one that matched',
    ours: 'deletes the one that matched, by its id',
  },
  {
    id: 'buffer-size',
    example: '-E -b 8388608',
    original: 'sets the buffer of another socket; 212,992 bytes stay',
    ours: 'sets that of the events; without -b it is 64 MiB',
  },
  {
    id: 'lost-events',
    example: '-E, when events are lost',
    original: 'three lines of warning, without a number',
    ours: 'one line says how many are missing; a gap in the JSON stands where',
  },
  {
    id: 'sctp-state',
    example: '-L -p sctp --state FOO',
    original: 'crashes',
    ours: 'unknown SCTP state',
  },
  {
    id: 'flush-failure',
    example: '-F without privilege',
    original: 'says that the table has been emptied, and then that it failed',
    ours: 'says that it failed',
  },
  {
    id: 'proc-fallback',
    example: '-C and -S without privilege',
    original: 'print what /proc says, and then the error',
    ours: 'print the error',
  },
  {
    id: 'batch-output',
    example: '-o in a line of a batch file',
    original: 'holds for all lines behind it',
    ours: 'holds for that line',
  },
  {
    id: 'long-line',
    example: '-E -o labels, with many labels',
    original: 'cuts lines at 1,024 bytes (4,096 of -L and -G)',
    ours: 'prints them whole',
  },
  {
    id: 'order',
    example: '-L -p tcp',
    original: 'lists flows in the order of the hash table',
    ours: 'the IPv4 flows first, where the kernel filters for us',
  },
  {
    id: 'reply-ports',
    example: '-G -s ... -d ... -p udp ... --reply-port-src 5 --reply-port-dst 6',
    original: 'fails without -r and -q',
    ours: 'compares them',
  },
  {
    id: 'help',
    example: '-h, or no command',
    original: 'its own text',
    ours: 'ours, on one screen',
  },
];
